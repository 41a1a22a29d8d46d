// A picture dropped, pasted or chosen: read its recipe, keep it, or draw from it.
import { Notice } from "./controls.js";
import { Dialog } from "./dialog.js";
import { html, useEffect, useState } from "./dom.js";
import { icon } from "./icons.js";
import { redraw } from "./panel.js";
import { keepFiles, readRecipe } from "./pictures.js";
import { go } from "./router.js";
import { Recipe } from "./sections.js";
import { makeStore, useStore } from "./store.js";
import { complain, say } from "./toast.js";

const desk = makeStore({ files: [] });

const STILL = 1500; // ms without a word of the drag; browsers tell of one every 50 to 350 ms

/** Read what came in; several at once are kept without asking about each. */
export function takeFiles(files) {
  if (files.length > 0) desk.set({ files });
}

export function DropTarget() {
  const [over, setOver] = useState(false);
  useEffect(() => {
    let silence = 0; // a busy browser may tell of a drag after its drop, and then no more
    const invite = (inviting) => {
      clearTimeout(silence);
      if (inviting) silence = setTimeout(setOver, STILL, false);
      setOver(inviting);
    };
    const carries = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
    const onOver = (event) => {
      if (!carries(event)) return;
      event.preventDefault();
      invite(true);
    };
    const onLeave = (event) => {
      if (event.relatedTarget === null) invite(false);
    };
    const onDrop = (event) => {
      if (!carries(event)) return;
      event.preventDefault();
      invite(false);
      takeFiles([...event.dataTransfer.files]);
    };
    addEventListener("dragover", onOver);
    addEventListener("dragleave", onLeave);
    addEventListener("drop", onDrop);
    return () => {
      clearTimeout(silence);
      removeEventListener("dragover", onOver);
      removeEventListener("dragleave", onLeave);
      removeEventListener("drop", onDrop);
    };
  }, []);
  return over
    ? html`
        <div class="dropping">
          ${icon("image", 40)}
          <h2>Let go to read its recipe</h2>
        </div>
      `
    : null;
}

/** A button that opens the file chooser; dropping is not for everybody. */
export function ChooseFile({ label = "Read a picture’s recipe", small = true }) {
  return html`
    <label class=${`button choose${small ? " small" : ""}`}>
      ${icon("upload", 16)} ${label}
      <input
        class="unseen"
        type="file"
        accept="image/*,.svg,.pdf,.ico"
        multiple
        onChange=${(event) => {
          takeFiles([...event.currentTarget.files]);
          event.currentTarget.value = "";
        }}
      />
    </label>
  `;
}

export function RecipeDialog() {
  const { files } = useStore(desk);
  if (files.length === 0) return null;
  return html`
    <${Desk} key=${files.map((file) => file.name + file.size).join()} files=${files} />
  `;
}

function Desk({ files }) {
  const [read, setRead] = useState(null);
  const [problem, setProblem] = useState(null);
  const [shown, setShown] = useState(null);
  const [busy, setBusy] = useState(false);
  const [first] = files;
  useEffect(() => {
    const address = URL.createObjectURL(first);
    setShown(address);
    if (files.length === 1) readRecipe(first).then(setRead, setProblem);
    return () => URL.revokeObjectURL(address);
  }, []);
  const close = () => desk.set({ files: [] });
  const keep = async () => {
    setBusy(true);
    try {
      const { imported, skipped } = await keepFiles(files);
      close();
      for (const { name, reason } of skipped)
        say(`${name} was left out.`, { kind: "error", hint: reason });
      const fresh = imported.filter((picture) => picture.new !== false).length;
      if (imported.length) {
        say(
          fresh === 0
            ? "It is in the library already."
            : fresh === 1
              ? "Kept in the library."
              : `${fresh} pictures kept in the library.`,
        );
        go("history");
      }
    } catch (refused) {
      complain(refused);
    }
    setBusy(false);
  };
  const words = read?.plan?.prompt ?? read?.parameters?.prompt;
  const use = () => {
    close();
    redraw(
      read.plan ?? {
        prompt: String(words),
        width: read.width ?? 1024,
        height: read.height ?? 1024,
      },
    );
  };
  return html`
    <${Dialog}
      label=${files.length === 1 ? "What the picture says" : `${files.length} pictures`}
      onClose=${close}
    >
      ${
        files.length === 1 &&
        html`
          <div class="brought">
            ${
              shown &&
              html`
                <img class="ground-check" src=${shown} alt="" />
              `
            }
            <p>
              <strong>${first.name}</strong>
              ${
                read &&
                html`
                  <small>
                    ${[read.width && `${read.width} × ${read.height}`, read.format].filter(Boolean).join(" · ")}
                  </small>
                `
              }
              ${
                words &&
                html`
                  <span dir="auto">${words}</span>
                `
              }
            </p>
          </div>
        `
      }
      ${
        files.length > 1 &&
        html`
          <p class="soft">
            Keep them in the library, each with its recipe, whichever program drew it.
          </p>
        `
      }
      ${
        problem &&
        html`
          <${Notice} problem=${problem} />
        `
      }
      ${
        !read &&
        !problem &&
        files.length === 1 &&
        html`
          <p class="soft" role="status">Reading…</p>
        `
      }
      ${
        read &&
        html`
          <${Recipe} plan=${read.plan} parameters=${read.parameters} source=${read.source} />
        `
      }
      <div class="row end">
        <button class="button" disabled=${busy || problem} onClick=${keep}>
          ${icon("images", 17)} Keep in library
        </button>
        ${
          words &&
          html`
            <button class="primary" onClick=${use}>${icon("pencil", 17)} Use this recipe</button>
          `
        }
      </div>
    <//>
  `;
}
