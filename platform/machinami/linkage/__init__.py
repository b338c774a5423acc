"""The data-linkage layer (データ連携基盤): the one write path and the one read path."""
