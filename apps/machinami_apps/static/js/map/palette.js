/** Colours of the base map, light and dark: quiet, so that the data speak. */
export const PALETTE = {
  light: {
    ground: "#eef1f3", district: "#fafaf7", border: "#c9cfd4", paddy: "#e3edd9", paddyLine: "#cfdec0",
    sea: "#cfe4f2", river: "#8fc1e3", road: "#ffffff", roadLine: "#d3d8dc",
    label: "#45505a", waterLabel: "#2b6a99", halo: "#ffffff",
  },
  dark: {
    ground: "#11161b", district: "#1a2027", border: "#37414b", paddy: "#1d2b24", paddyLine: "#2a3c31",
    sea: "#0f2433", river: "#27597c", road: "#333d47", roadLine: "#1a2027",
    label: "#b9c3cc", waterLabel: "#86bce4", halo: "#11161b",
  },
};
