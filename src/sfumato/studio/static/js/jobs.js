// The jobs as this page knows them: listed once, then kept true by the server's events.
import { get, net, post, urls } from "./api.js";
import { makeStore } from "./store.js";
import { announce } from "./toast.js";

const PAGE = 16;

/** `byId`: jobs; `feed`: ids, newest first; `more`: cursor of older ones, null at the end. */
export const jobs = makeStore({ byId: {}, feed: [], more: undefined, counts: {}, failed: null });

const newer = (a, b) =>
  a.created < b.created ? 1 : a.created > b.created ? -1 : a.id < b.id ? 1 : -1;

/** Take jobs in. `told` is the server's newest word on them, an answer may have been overtaken. */
function keep(found, { told = false, ...patch } = {}) {
  jobs.set((state) => {
    const byId = { ...state.byId };
    for (const job of found) byId[job.id] = merge(byId[job.id], job, told);
    const ids = new Set([...state.feed, ...found.map((job) => job.id)]);
    const feed =
      ids.size > state.feed.length ? [...ids].sort((a, b) => newer(byId[a], byId[b])) : state.feed;
    return { byId, feed, ...patch };
  });
}

const stage = ({ state }) => ["queued", "running"].indexOf(state) + 1 || 3;

/** Events and answers cross: an answer never takes back what is further along. */
function merge(known, job, told) {
  const pictures = [...(job.pictures ?? [])];
  known?.pictures.forEach((picture, index) => (pictures[index] ??= picture));
  const overtaken = !told && known && stage(known) > stage(job);
  return overtaken ? { ...job, ...known, pictures } : { ...known, ...job, pictures };
}

export const unfinished = (job) => job.state === "queued" || job.state === "running";

/** How many jobs are drawn before a waiting one, itself included. The server's own figure ages. */
export function placeInLine(job) {
  const before = Object.values(jobs.get().byId).filter(
    (other) =>
      other.state === "queued" &&
      (other.priority > job.priority || (other.priority === job.priority && newer(other, job) > 0)),
  );
  return before.length + 1;
}

/** The newest jobs, those under way included. */
async function loadJobs() {
  try {
    const page = await get(`/jobs?limit=${PAGE}`);
    const active = await get("/jobs?state=queued&state=running&limit=200");
    keep([...page.jobs, ...active.jobs], { counts: page.counts, failed: null });
    if (jobs.get().more === undefined) jobs.set({ more: page.next });
  } catch (problem) {
    jobs.set({ failed: problem });
  }
}

export async function loadOlder() {
  const { more } = jobs.get();
  if (!more) return;
  const page = await get(`/jobs?limit=${PAGE}&cursor=${encodeURIComponent(more)}`);
  keep(page.jobs, { more: page.next });
}

/** Queue a drawing. The key makes a second sending of the same click the same job. */
export async function draw(request) {
  const key = crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`;
  const { job } = await post("/jobs", request, { headers: { "idempotency-key": key } });
  keep([job]);
  return job;
}

/** A route that answers with a job: vary, upscale, cancel, retry. */
export async function act(path, body = {}) {
  const answer = await post(path, body);
  if (answer.job) keep([answer.job]);
  return answer.job ?? null;
}

export const cancel = (id) => act(`/jobs/${encodeURIComponent(id)}/cancel`);
export const retry = (id) => act(`/jobs/${encodeURIComponent(id)}/retry`);

/** One job that is not listed here (an old sweep's cell). */
export async function fetchJob(id) {
  const { job } = await get(`/jobs/${encodeURIComponent(id)}`);
  keep([job]);
}

const OUTCOMES = { done: "Drawn", failed: "Failed", cancelled: "Stopped" };
const outcome = ({ state, request }) => `${OUTCOMES[state]}: ${request.prompt.slice(0, 200)}`;

let stream = null;
let again = null;

/** Follow all jobs for as long as the page is open. */
export function follow() {
  if (stream !== null || net.get().locked) return;
  stream = new EventSource(urls.events);
  stream.addEventListener("open", () => loadJobs());
  stream.addEventListener("job", (event) => {
    const job = JSON.parse(event.data);
    const known = jobs.get().byId[job.id];
    keep([job], { told: true });
    if (known && unfinished(known) && !unfinished(job)) announce(outcome(job));
  });
  stream.addEventListener("progress", (event) => {
    const progress = JSON.parse(event.data);
    const known = jobs.get().byId[progress.job];
    if (known && unfinished(known))
      keep([{ ...known, state: "running", progress }], { told: true });
  });
  stream.addEventListener("picture", (event) => {
    const { job, index, picture } = JSON.parse(event.data);
    const known = jobs.get().byId[job];
    if (!known) return;
    const pictures = [...known.pictures];
    pictures[index] = picture?.id ?? picture;
    keep([{ ...known, pictures }], { told: true });
  });
  stream.addEventListener("error", () => {
    check();
    if (stream.readyState !== EventSource.CLOSED) return; // it tries again by itself
    stream = null;
    clearTimeout(again);
    again = setTimeout(follow, 2000);
  });
}

/** A broken stream may be a restart of the stream alone: ask whether the server still knows us. */
const check = () => get("/about").catch(() => {}); // a failure is noted where it is met
