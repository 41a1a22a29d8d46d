// Pictures and text to the clipboard; where the browser refuses, a sentence says so.
import { urls } from "./api.js";
import { say } from "./toast.js";

export async function copyText(text, what) {
  try {
    await navigator.clipboard.writeText(text);
    say(`${what} copied.`);
  } catch {
    say("The browser does not let this page copy.", {
      kind: "error",
      hint: "Select the text and copy it by hand.",
    });
  }
}

export async function copyPicture(id) {
  let missing = false;
  const load = async () => {
    const answer = await fetch(urls.file(id, { format: "png" })).catch(() => null);
    missing = !answer?.ok;
    if (missing) throw new Error("no picture came");
    return answer.blob();
  };
  try {
    // a promise, not a blob: Safari forgets the click while a picture is being fetched
    await navigator.clipboard.write([new ClipboardItem({ "image/png": load() })]);
    say("Picture copied.");
  } catch {
    if (missing) say("The picture could not be loaded.", { kind: "error" });
    else
      say("The browser does not let this page copy pictures.", {
        kind: "error",
        hint: "Download it instead.",
      });
  }
}
