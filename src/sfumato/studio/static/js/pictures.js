// Pictures as this page knows them, and what can be done to one.
import { call, get, post } from "./api.js";
import { makeStore } from "./store.js";
import { complain, say } from "./toast.js";

/** `byId`: pictures as lists show them, one object for good. `turn` counts changes that lists must reload for. */
export const pictures = makeStore({ byId: {}, turn: 0 });

export function learn(found) {
  if (!found.length) return;
  // in place: copying 100,000 entries for each page of a long history would freeze it
  const { byId } = pictures.get();
  for (const picture of found) byId[picture.id] = { ...byId[picture.id], ...picture };
  pictures.set({ byId });
}

const home = (id) => `/pictures/${encodeURIComponent(id)}`;

/** A picture with its recipe and commands. */
export async function details(id) {
  const picture = await get(home(id));
  learn([picture]);
  return picture;
}

/** Star, rate, tag, collect: shown at once, put back when the server refuses. */
export async function mark(id, change) {
  const before = pictures.get().byId[id];
  if (before) learn([{ ...before, ...change }]);
  try {
    learn([await call("PATCH", home(id), { body: change })]);
  } catch (problem) {
    if (before) learn([before]);
    throw problem;
  }
}

const turned = () => pictures.set((state) => ({ turn: state.turn + 1 }));

/** To the trash, with a way back. Lists leave out by themselves what is in the wrong place. */
export async function discard(ids) {
  try {
    for (const id of ids) learn([await call("DELETE", home(id))]);
  } catch (problem) {
    complain(problem);
  }
  say(ids.length === 1 ? "Moved to the trash." : `${ids.length} pictures moved to the trash.`, {
    action: { label: "Undo", run: () => bringBack(ids).catch(complain) },
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
