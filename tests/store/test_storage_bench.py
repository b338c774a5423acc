from machinami_loadtests.storage_bench import Size, bench_storage


def test_the_bench_measures_and_leaves_nothing(server_url: str) -> None:
    said: list[str] = []
    result = bench_storage(server_url, Size(series=2, days=16, step=1800), said.append)
    assert result.rows == 2 * 16 * 48
    assert result.size > 0
    columns = "TimescaleDB" in result.server and "Apache" not in result.server
    assert (result.size_compressed is not None) == columns
    assert [question.name for question in result.questions] == [
        "16 days by day",
        "16 days by hour",
        "one day by minute",
        "1,536 values of 2 series by day",
    ]
    assert "writing day 16 of 16" in said
