// What is waiting, what is being drawn, what has ended.
import { urls } from "../api.js";
import { Empty, Progress, StopButton } from "../controls.js";
import { html } from "../dom.js";
import { Failed, inLine } from "../feed.js";
import { icon } from "../icons.js";
import { cancel, jobs, retry, unfinished } from "../jobs.js";
import { openPicture } from "../router.js";
import { useStore } from "../store.js";
import { complain } from "../toast.js";
import { count } from "../wording.js";

const NAMES = {
  queued: "Waiting",
  running: "Drawing",
  done: "Done",
  failed: "Failed",
  cancelled: "Stopped",
};
const ENDED_SHOWN = 40;

export function QueueView() {
  const { byId, feed } = useStore(jobs);
  const all = feed.map((id) => byId[id]);
  const active = all.filter(unfinished).reverse();
  const ended = all.filter((job) => !unfinished(job)).slice(0, ENDED_SHOWN);
  const stopAll = () => active.forEach((job) => cancel(job.id).catch(complain));
  return html`
    <div class="title">
      <h1>Queue</h1>
      ${
        active.length > 1 &&
        html`
          <button class="button danger" onClick=${stopAll}>
            ${icon("circle-stop", 17)} Stop all ${active.length}
          </button>
        `
      }
    </div>
    ${
      all.length === 0 &&
      html`
        <${Empty}
          drawing="list-todo"
          title="Nothing is waiting"
          text="What you ask for lines up here, and stays here if the page or the machine goes away."
        >
          <a class="button" href="#/">Draw something</a>
        <//>
      `
    }
    ${
      active.length > 0 &&
      html`
        <section aria-label="Unfinished">
          <ul class="queue">
            ${active.map(
              (job) => html`
                <${Row} key=${job.id} job=${job} />
              `,
            )}
          </ul>
        </section>
      `
    }
    ${
      ended.length > 0 &&
      html`
        <section aria-label="Ended">
          <h2 class="divider">Ended</h2>
          <ul class="queue">
            ${ended.map(
              (job) => html`
                <${Row} key=${job.id} job=${job} />
              `,
            )}
          </ul>
        </section>
      `
    }
  `;
}

function Row({ job }) {
  const drawn = job.pictures.filter(Boolean);
  const fraction = job.progress?.fraction ?? 0;
  return html`
    <li class=${`entry ${job.state}`}>
      <div class="thumbs">
        ${
          drawn.length
            ? drawn.slice(0, 4).map(
                (id, at) => html`
                  <button
                    key=${id}
                    aria-label=${`Open picture ${at + 1} of “${job.request.prompt}”`}
                    onClick=${() => openPicture(id, drawn)}
                  >
                    <img class="ground-check" src=${urls.thumbnail(id)} alt="" loading="lazy" />
                  </button>
                `,
              )
            : html`
                <span class="ground-check"></span>
              `
        }
      </div>
      <div class="about">
        <p class="words" dir="auto">${job.request.prompt}</p>
        <small>
          <span class="state">${NAMES[job.state]}</span>
          ${told(job)}
        </small>
        ${
          job.state === "running" &&
          html`
            <${Progress} label=${`Progress of “${job.request.prompt}”`} value=${fraction} />
          `
        }
        ${
          job.state === "failed" &&
          html`
            <${Failed} job=${job} />
          `
        }
      </div>
      <div class="does">
        ${
          unfinished(job) &&
          html`
            <${StopButton}
              of=${job.request.prompt}
              stopping=${job.cancelling}
              onStop=${() => cancel(job.id).catch(complain)}
            />
          `
        }
        ${
          job.state === "cancelled" &&
          html`
            <button
              class="button small"
              aria-label=${`Go on with “${job.request.prompt}”`}
              onClick=${() => retry(job.id).catch(complain)}
            >
              ${icon("rotate-ccw", 16)} Go on
            </button>
          `
        }
      </div>
    </li>
  `;
}

function told(job) {
  const facts = [];
  if (job.state === "running") facts.push(`${Math.round((job.progress?.fraction ?? 0) * 100)} %`);
  if (job.state === "queued") facts.push(inLine(job));
  facts.push(count(job.num_images, "picture"));
  const moment = job.finished ?? job.started ?? job.created;
  facts.push(
    new Date(moment).toLocaleString(undefined, {
      day: "numeric",
      month: "short",
      hour: "2-digit",
      minute: "2-digit",
    }),
  );
  return ` · ${facts.join(" · ")}`;
}
