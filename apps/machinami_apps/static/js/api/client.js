/** One GET to the city's API. The pages know no other server. */

const TIMEOUT_MS = 30_000;
let clockOffset = 0;

/** The API did not answer, or answered with problem details (RFC 7807). `status` 0: no answer. */
export class ApiError extends Error {
  constructor(status, title) {
    super(title);
    this.name = "ApiError";
    this.status = status;
  }
}

/** Milliseconds since the epoch by the server's clock: a laptop's wrong clock must not make a gauge look silent. */
export const serverNow = () => Date.now() + clockOffset;

/** JSON at `path`; `params` whose value is null are left out. Resolves to `{body, headers, status}`. */
export async function getJson(path, params = {}) {
  const response = await request(path, params);
  if (!response.ok) throw new ApiError(response.status, await problemTitle(response));
  rememberClock(response);
  return { body: await response.json(), headers: response.headers, status: response.status };
}

async function request(path, params) {
  const given = Object.entries(params).filter(([, value]) => value !== null && value !== undefined);
  const query = new URLSearchParams(given).toString();
  const options = { headers: { Accept: "application/json" }, signal: AbortSignal.timeout(TIMEOUT_MS) };
  try {
    return await fetch(query ? `${path}?${query}` : path, options);
  } catch (error) {
    throw new ApiError(0, error.name === "TimeoutError" ? "no answer within 30 s" : error.message);
  }
}

async function problemTitle(response) {
  const text = await response.text();
  try {
    const problem = JSON.parse(text);
    return [problem.title, problem.detail].filter(Boolean).join(": ") || response.statusText;
  } catch {
    return `${response.status} ${response.statusText}`;
  }
}

/** The Date header has whole seconds, so differences below two seconds say nothing. */
function rememberClock(response) {
  const offset = Date.parse(response.headers.get("Date") ?? "") - Date.now();
  if (Number.isFinite(offset)) clockOffset = Math.abs(offset) < 2_000 ? 0 : offset;
}
