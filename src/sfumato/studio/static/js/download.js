// The plain Download button: one click, in the format that was chosen once for all.
import { urls } from "./api.js";
import { kept } from "./kept.js";
import { useStore } from "./store.js";

const NAMES = { jpeg: "JPEG", png: "PNG", webp: "WebP", svg: "SVG", pdf: "PDF", ico: "ICO" };
const OF_PATHS = ["svg", "pdf"]; // pictures without paths come as PNG instead

export const formatName = (format) => NAMES[format] ?? format.toUpperCase();

/** Where a plain download of this picture leads, and the name of its format. */
export function usePlainDownload(id, picture) {
  const wanted = useStore(kept, (state) => state.settings?.format) ?? "png";
  const format = OF_PATHS.includes(wanted) && !picture?.vector ? "png" : wanted;
  return { href: urls.file(id, { format, download: 1 }), name: formatName(format) };
}
