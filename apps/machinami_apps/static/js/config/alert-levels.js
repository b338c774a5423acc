/**
 * The five alert levels (警戒レベル) and how a gauge is shown: the one place for labels, colours and shapes.
 *
 * Colours: Cabinet Office 2020-05-29「警戒レベルの配色」(black, purple, red, yellow, white). A level is never told by
 * colour alone: each has its own shape, and its number stands in the marker.
 * `threshold` is the attribute (metres) at and above which a gauge reaches the level. Level 5 (flooding) is
 * something that people observe and announce; no water level alone tells it, so it has none.
 */
export const LEVELS = [
  {
    level: 5, threshold: null, shape: "octagon", fill: "#0c000c", ink: "#ffffff", line: "#ffffff",
    water: { ja: "氾濫発生", en: "Flooding" },
    action: { ja: "緊急安全確保", en: "Emergency safety measures" },
  },
  {
    level: 4, threshold: "dangerLevel", shape: "hexagon", fill: "#aa00aa", ink: "#ffffff", line: "#ffffff",
    water: { ja: "氾濫危険水位", en: "Flood danger level" },
    action: { ja: "避難指示の目安", en: "Guide for evacuation instruction" },
  },
  {
    level: 3, threshold: "evacuationJudgementLevel", shape: "diamond", fill: "#ff2800", ink: "#000000", line: "#ffffff",
    water: { ja: "避難判断水位", en: "Evacuation judgement level" },
    action: { ja: "高齢者等避難の目安", en: "Guide for evacuation of the elderly" },
  },
  {
    level: 2, threshold: "cautionLevel", shape: "square", fill: "#f2e700", ink: "#1a1a1c", line: "#1a1a1c",
    water: { ja: "氾濫注意水位", en: "Flood caution level" },
    action: { ja: "避難行動の確認", en: "Check how to evacuate" },
  },
  {
    level: 1, threshold: "standbyLevel", shape: "circle", fill: "#ffffff", ink: "#1a1a1c", line: "#1a1a1c",
    water: { ja: "水防団待機水位", en: "Flood-fighting standby level" },
    action: { ja: "心構えを高める", en: "Be prepared" },
  },
];

/** What a gauge can be when it has no alert level. A silent one is never shown as normal. */
const OTHERS = [
  {
    key: "silent", shape: "circle", fill: "#d5d9dd", ink: "#33373b", line: "#4d5257", hatch: "#7b8187", mark: "?",
    label: { ja: "観測なし", en: "Silent" },
    note: { ja: "一定時間データが届いていません。平常とは限りません", en: "No data for longer than the limit; not to be taken as normal" },
  },
  {
    key: "noThresholds", shape: "circle", fill: "#ffffff", ink: "#4d5257", line: "#4d5257", dashed: true, mark: "–",
    label: { ja: "基準水位なし", en: "No thresholds" },
    note: { ja: "基準水位が登録されていないため判定できません", en: "Cannot be judged: no threshold is registered" },
  },
  {
    key: "normal", shape: "circle", fill: "#1f6fb2", ink: "#ffffff", line: "#ffffff", mark: "", small: true,
    label: { ja: "平常", en: "Normal" },
    note: { ja: "登録された基準水位に達していません", en: "Below the registered thresholds" },
  },
];

const asState = (row) => ({
  ...row,
  key: `level${row.level}`,
  mark: String(row.level),
  label: { ja: `レベル${row.level}相当`, en: `Level ${row.level}` },
  note: {
    ja: `${row.water.ja}${row.threshold ? "に到達" : ""}・${row.action.ja}`,
    en: `${row.water.en}${row.threshold ? " reached" : ""} · ${row.action.en}`,
  },
});

/** Every state a gauge can be shown in, the most serious first. */
export const STATES = [...LEVELS.map(asState), ...OTHERS];
export const STATE = Object.fromEntries(STATES.map((state, rank) => [state.key, { ...state, rank }]));
/** Levels that a measured water level can reach, the highest first. */
export const JUDGED_LEVELS = LEVELS.filter((row) => row.threshold);
