// Which view is shown: the address after "#". A picture may lie open on top of any view.
import { makeStore } from "./store.js";

const VIEWS = ["draw", "history", "sweep", "queue", "settings"];

/** `view`, `query` (URLSearchParams as text), `picture`: the open picture's id or null. */
export const route = makeStore(read({ view: "history", query: "" }));

/** What the address says. A picture lies on top of `below`, which stays as it is. */
function read(below = route.get()) {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const [first, second] = path.split("/");
  if (first === "p" && second) {
    let picture = null;
    try {
      picture = decodeURIComponent(second);
    } catch {
      // not an id of ours
    }
    return { view: below.view, query: below.query, picture };
  }
  return { view: VIEWS.includes(first) ? first : "draw", query, picture: null };
}

let depth = 0; // pictures opened here: closing goes back instead of forward

addEventListener("hashchange", () => route.set(read()));

export const address = (view, query = "") =>
  `#/${view === "draw" ? "" : view}${query ? `?${query}` : ""}`;

export function go(view, query = "") {
  depth = 0;
  const target = address(view, query);
  if (location.hash === target) route.set(read());
  else location.hash = target;
}

/** Change the query of the view without a step in the browser's history. */
export function refine(query) {
  const { view, picture } = route.get();
  // an open picture has the address to itself
  if (!picture) history.replaceState(null, "", address(view, query));
  route.set({ query });
}

/** Open a picture. `among`: the ids to leaf through. */
export const shelf = makeStore({ among: [] });

export function openPicture(id, among = [id]) {
  shelf.set({ among });
  const target = `#/p/${encodeURIComponent(id)}`;
  if (route.get().picture) {
    history.replaceState(null, "", target);
    route.set({ picture: id });
  } else {
    depth += 1;
    location.hash = target;
  }
}

export function closePicture() {
  if (depth > 0) {
    depth -= 1;
    history.back();
  } else {
    const { view, query } = route.get();
    history.replaceState(null, "", address(view, query));
    route.set({ picture: null });
  }
}
