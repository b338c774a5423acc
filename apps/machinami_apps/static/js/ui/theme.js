/** Light or dark, as the system says. Maps and charts draw on canvas and must be told. */
const query = matchMedia("(prefers-color-scheme: dark)");

export const theme = () => (query.matches ? "dark" : "light");
export const onTheme = (listener) => query.addEventListener("change", listener);

/** A colour of the style sheet, for drawing on canvas. */
export const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
