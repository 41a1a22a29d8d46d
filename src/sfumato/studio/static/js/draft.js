// What is typed in the prompt box and chosen around it: kept through reloads, turned into a request.
import { net } from "./api.js";
import { makeStore, recall, remember } from "./store.js";

export const SHAPES = [
  ["1:1", "Square"],
  ["4:3", "Landscape"],
  ["3:4", "Portrait"],
  ["16:9", "Wide"],
  ["9:16", "Tall"],
  ["3:1", "Banner"],
];
export const SIZES = [256, 512, 1024, 2048, 4096];
export const GROUNDS = [
  ["", "As written"],
  ["transparent", "Transparent"],
  ["white", "White"],
  ["cream", "Cream"],
  ["#f3d9c6", "Peach"],
  ["#dce8ef", "Sky"],
  ["#dfe9d8", "Sage"],
  ["navy", "Navy"],
  ["black", "Black"],
];
export const MAX_COUNT = 8;

const BLANK = {
  prompt: "",
  negative: "",
  style: "",
  shape: "1:1",
  size: 1024,
  ground: "",
  count: 4,
  seedLocked: false,
  seed: 0,
  model: "",
  steps: "",
  guidance: "",
  sampler: "",
  scheduler: "",
  variation: 0, // how far, from 0 to 1, the picture is pulled towards another seed
  towards: 0,
};

/** What a fresh box begins with, as this browser last heard of it. */
const defaults = () => ({ ...BLANK, ...recall("defaults", {}) });

export const draft = makeStore({ ...defaults(), ...recall("draft", {}) });
draft.subscribe(() => remember("draft", draft.get()));

export const newSeed = () => crypto.getRandomValues(new Uint32Array(1))[0];

/** The model that is chosen, or the one the server draws with by itself. */
export function modelOf(state, models = net.get().models) {
  const known = models?.models ?? [];
  return (
    known.find((model) => model.name === state.model) ??
    known.find((model) => model.default) ??
    known[0] ??
    null
  );
}

/** Width and height of a shape whose longer side is `size`. */
export function sides(shape, size) {
  const [across, down] = shape.split(":").map(Number);
  const scale = size / Math.max(across, down);
  return [Math.max(16, Math.round(across * scale)), Math.max(16, Math.round(down * scale))];
}

/** The draft as the body of POST /jobs; what was left to the model is left out. */
export function requestOf(state) {
  const [width, height] = sides(state.shape, state.size);
  const model = modelOf(state);
  const request = { prompt: state.prompt.trim(), num_images: state.count, width, height };
  if (state.model) request.model = state.model;
  if (state.style && model?.styles.includes(state.style)) request.style = state.style;
  if (state.ground) request.background = state.ground;
  if (state.seedLocked) request.seed = Number(state.seed) || 0;
  if (state.negative.trim()) request.negative_prompt = state.negative.trim();
  if (state.steps !== "") request.num_inference_steps = Number(state.steps);
  if (state.guidance !== "") request.guidance_scale = Number(state.guidance);
  if (state.sampler) request.sampler = state.sampler;
  if (state.scheduler) request.scheduler = state.scheduler;
  if (state.variation > 0) {
    request.variation_strength = state.variation;
    request.variation_seed = state.towards;
  }
  return request;
}

/** Fill the box with a recipe: everything that decides the picture, the seed locked. */
export function fillFrom(plan) {
  const { width, height } = plan;
  const size = Math.max(width, height);
  const near = shapeOf(width / height);
  const offered = String(sides(near, size)) === String([width, height]);
  draft.set({
    ...BLANK,
    prompt: plan.prompt ?? "",
    negative: plan.negative_prompt ?? "",
    shape: offered ? near : exactly(width, height),
    size,
    style: plan.styles?.[0] ?? plan.style ?? "",
    // of an emblem the words say the ground
    ground: plan.emblem ? "" : (plan.background ?? ""),
    seedLocked: plan.seeds !== undefined || plan.seed !== undefined,
    seed: plan.seeds?.[0] ?? plan.seed ?? 0,
    count: Math.min(MAX_COUNT, plan.num_images ?? 1),
    model: plan.model ?? "",
    steps: plan.num_inference_steps ?? "",
    guidance: plan.guidance_scale ?? "",
    sampler: plan.sampler ?? "",
    scheduler: plan.scheduler ?? "",
    variation: plan.variation_strength ?? 0,
    towards: plan.variation_seeds?.[0] ?? plan.variation_seed ?? 0,
  });
}

/** A shape that is not offered, in the smallest whole numbers. */
function exactly(width, height) {
  let [whole, rest] = [width, height];
  while (rest) [whole, rest] = [rest, whole % rest];
  return `${width / whole}:${height / whole}`;
}

/** The offered shape that is closest to a ratio of width to height. */
function shapeOf(ratio) {
  const near = SHAPES.map(([name]) => [distance(name, ratio), name]).sort(([a], [b]) => a - b);
  return near[0][1];
}

function distance(shape, ratio) {
  const [across, down] = shape.split(":").map(Number);
  return Math.abs(Math.log(across / down / ratio));
}

/** The options that the server's settings name. */
export const optionsOf = (settings) => ({
  model: settings.model ?? "",
  style: settings.style ?? "",
  ground: settings.background ?? "",
  count: Math.min(MAX_COUNT, settings.num_images),
  shape: shapeOf(settings.width / settings.height),
  size: Math.max(settings.width, settings.height),
});

/** Begin with what the server keeps; a box in which something was chosen stays as it was left. */
export function adoptDefaults(settings) {
  const [state, before, options] = [draft.get(), defaults(), optionsOf(settings)];
  const fresh = Object.keys(BLANK).every(
    (name) => name === "prompt" || state[name] === before[name],
  );
  remember("defaults", options);
  if (fresh) draft.set(options);
}

/** Put the options (not the words) back to the person's own defaults. */
export function resetOptions() {
  const { prompt } = draft.get();
  draft.set({ ...defaults(), prompt });
}

/** Whether anything folded away differs from a fresh box. */
export function hasExtras(state) {
  const usual = defaults();
  return ["negative", "model", "size", "steps", "guidance", "sampler", "scheduler"].some(
    (name) => state[name] !== usual[name],
  );
}
