// Pictures as this page knows them, and what can be done to one.
import { call, get, post } from "./api.js";
import { makeLine, makeStore } from "./store.js";
import { complain, say } from "./toast.js";
import { count } from "./wording.js";

/** `byId`: pictures as lists show them, one object for good. `turn` counts changes that lists must reload for. */
export const pictures = makeStore({ byId: {}, turn: 0 });

export function learn(found) {
  if (!found.length) return;
  // in place: copying 100,000 entries for each page of a long history would freeze it
  const { byId } = pictures.get();
  for (const picture of found) byId[picture.id] = { ...byId[picture.id], ...picture };
  pictures.set({ byId });
}

/** What a picture is called. */
export const nameOf = (picture) => picture.prompt || picture.original_name || "Without words";

const home = (id) => `/pictures/${encodeURIComponent(id)}`;

/** A picture with its recipe and commands. */
export async function details(id) {
  const picture = await get(home(id));
  learn([picture]);
  return picture;
}

/** Learn of those of these pictures that are not known yet; they are among what `query` finds. */
export async function learnMissing(ids, query) {
  const { byId } = pictures.get();
  if (ids.every((id) => byId[id])) return;
  const page = await get(`/pictures?${new URLSearchParams(query)}`);
  learn(page.pictures.filter(({ id }) => !pictures.get().byId[id]));
}

const inLine = makeLine();
const marking = new Map(); // id: how many changes of it are on their way

/** Star, rate, tag, collect: shown at once, put back when the server refuses. */
export async function mark(id, change) {
  const before = pictures.get().byId[id];
  if (before) learn([{ ...before, ...change }]);
  marking.set(id, (marking.get(id) ?? 0) + 1);
  let answer = null;
  try {
    answer = await inLine(() => call("PATCH", home(id), { body: change }));
  } catch (problem) {
    if (before) putBack(id, before, change);
    throw problem;
  } finally {
    marking.set(id, marking.get(id) - 1);
  }
  // an answer from before the next change would take that change back for a moment
  if (marking.get(id) === 0) learn([answer]);
}

/** Undo a change where nobody has changed the same thing since. */
function putBack(id, before, change) {
  const now = pictures.get().byId[id];
  const refused = Object.keys(change).filter((name) => now[name] === change[name]);
  learn([{ id, ...Object.fromEntries(refused.map((name) => [name, before[name]])) }]);
}

const turned = () => pictures.set((state) => ({ turn: state.turn + 1 }));

/** To the trash, with a way back. Lists leave out by themselves what is in the wrong place. */
export async function discard(ids) {
  const moved = [];
  try {
    for (const id of ids) {
      learn([await call("DELETE", home(id))]);
      moved.push(id);
    }
  } catch (problem) {
    complain(problem);
  }
  if (moved.length === 0) return;
  const what = moved.length === 1 ? "Moved" : `${count(moved.length, "picture")} moved`;
  say(`${what} to the trash.`, {
    action: { label: "Undo", run: () => bringBack(moved).catch(complain) },
  });
}

export async function bringBack(ids) {
  for (const id of ids) learn([await post(`${home(id)}/restore`, {})]);
}

/** Delete for good what is in the trash. */
export async function purge(ids) {
  await post("/pictures/purge", { ids });
  turned();
}

/** What a file says about itself; nothing is kept. */
export function readRecipe(file) {
  const form = new FormData();
  form.append("file", file, file.name || "picture");
  return post("/recipe", undefined, { form });
}

/** Keep files in the library. */
export async function keepFiles(files) {
  const form = new FormData();
  for (const file of files) form.append("file", file, file.name || "picture");
  const answer = await post("/import", undefined, { form });
  learn(answer.imported);
  turned();
  return answer;
}
