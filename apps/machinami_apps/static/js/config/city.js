/** Facts about the city and limits of the pages that an operator may want to change. */

/** IANA zone in which times are read and written on the pages. */
export const TIME_ZONE = "Asia/Tokyo";
/** Offset of that zone for `?at=` times that name none. Japan has no summer time. */
export const TIME_OFFSET = "+09:00";

/** A gauge without an observation for longer than this is silent, in minutes; `?silent=` overrides it. */
export const SILENT_MINUTES = 30;
/** A people-flow receiver, a bike or a port not heard of for longer than this is not counted, in minutes. */
export const STALE_MINUTES = 15;
/** When the newest observation of a network is older than this, the page offers to show recorded data, in hours. */
export const RECORDED_HOURS = 24;
/** A bike faster than this is on its way, in km/h. */
export const MOVING_KMH = 1;

/** Known data providers; one that is not listed is shown by its own identifier. */
export const PROVIDERS = {
  namiki: { ja: "街並市（架空）", en: "Namiki (fictional)" },
  "fukui-river": { ja: "福井県 河川水位", en: "Fukui river levels" },
  "fukui-wifi": { ja: "福井市 Wi-Fi 人流", en: "Fukui Wi-Fi people flow" },
  "kakogawa-probe": { ja: "加古川市 公用車位置", en: "Kakogawa vehicle probes" },
  "": { ja: "提供者の記載なし", en: "Provider not stated" },
};
