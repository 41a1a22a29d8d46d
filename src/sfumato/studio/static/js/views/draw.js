// Home: the prompt box, and what was drawn from it, newest first.
import { Notice } from "../controls.js";
import { html, useState } from "../dom.js";
import { draft } from "../draft.js";
import { ChooseFile } from "../drop.js";
import { GroupCard, JobCard } from "../feed.js";
import { icon } from "../icons.js";
import { jobs, loadOlder } from "../jobs.js";
import { Latest, useLatest } from "../latest.js";
import { PromptBox, drawDraft } from "../prompt.js";
import { useStore } from "../store.js";
import { complain } from "../toast.js";

const EXAMPLES = [
  ["fox", "a red fox logo"],
  ["owl", "an owl, cartoon style"],
  ["coffee", "a steaming cup of coffee, soft style"],
  ["rocket", "a blue rocket"],
  ["pair", "a cat and a dog"],
  ["sailboat", "a sailboat, classic style"],
  ["crown", "a gold crown emblem on a navy circle"],
  ["whale", "a teal whale, one-colour"],
];

export function DrawView() {
  const feed = useStore(jobs, (state) => state.feed);
  const more = useStore(jobs, (state) => state.more);
  const failed = useStore(jobs, (state) => state.failed);
  const latest = useLatest();
  const settled = feed.length > 0 || latest?.length > 0;
  const fresh = more !== undefined && latest !== null && !settled;
  return html`
    <section class=${`hero${settled ? " settled" : ""}`}>
      <h1>${settled ? "What shall we draw next?" : "What shall we draw?"}</h1>
      <${PromptBox} />
    </section>
    ${
      failed &&
      !["offline", "unauthorized"].includes(failed.code) &&
      html`
        <${Notice} problem=${failed} />
      `
    }
    ${
      fresh &&
      html`
        <${FirstRun} />
      `
    }
    <section class="feed" aria-label="Drawings">
      ${groups(feed).map((ids) =>
        ids.length === 1
          ? html`
              <${JobCard} key=${ids[0]} id=${ids[0]} />
            `
          : html`
              <${GroupCard} key=${ids.at(-1)} ids=${ids} />
            `,
      )}
    </section>
    ${
      more &&
      html`
        <${Older} />
      `
    }
    ${
      more === null &&
      latest?.length > 0 &&
      html`
        <${Latest} ids=${latest} />
      `
    }
  `;
}

/** Single pictures of the same words in a row (a sweep, say) belong together. */
function groups(feed) {
  const { byId } = jobs.get();
  const found = [];
  for (const id of feed) {
    const [job, before] = [byId[id], byId[found.at(-1)?.[0]]];
    const alike =
      before &&
      job.num_images === 1 &&
      before.num_images === 1 &&
      job.request.prompt === before.request.prompt;
    if (alike) found.at(-1).push(id);
    else found.push([id]);
  }
  return found;
}

function FirstRun() {
  const begin = (prompt) => {
    draft.set({ prompt });
    drawDraft();
  };
  return html`
    <section class="first" aria-labelledby="first">
      <div class="row spread">
        <h2 id="first">Try one of these</h2>
        <${ChooseFile} />
      </div>
      <ul class="examples">
        ${EXAMPLES.map(
          ([name, prompt]) => html`
            <li key=${name}>
              <button onClick=${() => begin(prompt)}>
                <img src=${`/studio/img/examples/${name}.webp`} width="256" height="256" alt="" />
                <span>${prompt}</span>
              </button>
            </li>
          `,
        )}
      </ul>
      <p class="soft">
        Name one thing or a few; add a style, a colour, a ground. Everything is drawn on your
        own machine, and every picture keeps its recipe.
      </p>
    </section>
  `;
}

function Older() {
  const [busy, setBusy] = useState(false);
  const load = async () => {
    setBusy(true);
    await loadOlder().catch(complain);
    setBusy(false);
  };
  return html`
    <div class="older">
      <button class="button" disabled=${busy} onClick=${load}>
        ${icon("chevron-down", 17)} Earlier drawings
      </button>
    </div>
  `;
}
