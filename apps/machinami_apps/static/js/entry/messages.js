/** Texts of the entry page. */
export const ENTRY = {
  docTitle: { ja: "街並み – 都市OS", en: "Machinami – the urban OS" },
  kicker: { ja: "都市OS", en: "Urban OS" },
  heading: { ja: "まちのいまを、ひとつのAPIで。", en: "The city as it is now, through one API." },
  lead: {
    ja: "街並み（Machinami）は、川の水位計、水田のセンサー、人流の受信機、シェアサイクルからのデータを集め、標準のAPI（NGSI-LD）で公開する都市OSです。このページの数値も、地図も、すべてそのAPIから読んでいます。",
    en: "Machinami gathers what river gauges, paddy sensors, people-flow receivers and rental bikes measure, and offers it through a standard API (NGSI-LD). Every figure and map on these pages is read from that API.",
  },
  fictional: {
    ja: "ここで動いている「街並市」は架空の街です。センサーの値はシミュレータが作っています。",
    en: "Namiki, the city that runs here, is fictional: a simulator makes its sensors' values.",
  },
  figures: { ja: "いまの都市OS", en: "The city now" },
  entities: { ja: "登録されているもの", en: "Entities" },
  entitiesNote: { ja: "APIで読めるエンティティの数", en: "that the API can give" },
  rate: { ja: "届いた更新", en: "Updates" },
  rateNote: { ja: "件／分（このページを開いてから）", en: "per minute, since this page was opened" },
  lastChange: { ja: "最後の更新", en: "Last update" },
  lastChangeNote: { ja: "このページに届いた時刻", en: "when it reached this page" },
  quarantined: { ja: "隔離されたデータ", en: "In quarantine" },
  quarantinedNote: { ja: "読めなかったもの。理由とともに保管", en: "could not be read; kept with the reason" },
  quarantinedNone: { ja: "読めなかったデータはありません", en: "everything could be read" },
  dashboards: { ja: "ダッシュボード", en: "Dashboards" },
  safetyTitle: { ja: "河川水位マップ", en: "River levels" },
  safetyText: {
    ja: "水位計を、それぞれの基準水位に照らして警戒レベルの色と番号で表示します。届かなくなった観測所は「観測なし」と分かります。",
    en: "Gauges by alert level, against their own thresholds. One that has fallen silent is shown as silent, never as normal.",
  },
  tourismTitle: { ja: "人流・交通マップ", en: "People and bikes" },
  tourismText: {
    ja: "シェアサイクルの動き、ポートの空き、場所と時間ごとの人の多さを見られます。",
    en: "Bikes on the move, free docks, and how many people are where, hour by hour.",
  },
  developers: { ja: "つくる人へ", en: "For developers" },
  docsTitle: { ja: "APIドキュメント", en: "API documentation" },
  docsText: { ja: "NGSI-LDのエンドポイントを読み、その場で試せます。", en: "Read about the NGSI-LD endpoints and try them." },
  entitiesLinkTitle: { ja: "データを見る", en: "See the data" },
  entitiesLinkText: { ja: "河川の観測所をJSONで取得します。", en: "River gauges as JSON, straight from the API." },
  types: { ja: "種類ごとの件数", en: "Entities by type" },
  typesNote: { ja: "押すとAPIの応答を開きます", en: "opens the API's answer" },
};

/** What a type is called; one that is not listed is shown by its own name. */
export const TYPE_NAMES = {
  AgriParcelRecord: { ja: "水田センサー", en: "Paddy sensors" },
  AgriParcel: { ja: "水田", en: "Paddies" },
  FloodMonitoring: { ja: "河川水位計", en: "River gauges" },
  CrowdFlowObserved: { ja: "人流の受信機", en: "People-flow receivers" },
  Vehicle: { ja: "車両・自転車", en: "Vehicles and bikes" },
  BikeHireDockingStation: { ja: "サイクルポート", en: "Bike ports" },
  DeviceMeasurement: { ja: "端末の検知", en: "Device detections" },
  PointOfInterest: { ja: "場所", en: "Places" },
  District: { ja: "地区", en: "Districts" },
  River: { ja: "川", en: "Rivers" },
  Road: { ja: "道路", en: "Roads" },
  PaddyBlock: { ja: "水田の区画", en: "Paddy blocks" },
  Coast: { ja: "海岸線", en: "Coast" },
};
