// Files of this folder.

/** The bytes of a file. `onProgress` is given how many more are there. Throws with what a person can do. */
export async function download(url, onProgress = () => {}) {
  const name = new URL(url).pathname.split("/").pop();
  let response;
  try {
    response = await fetch(url);
  } catch {
    throw new Error(`${name} can't be loaded: is the server there? Load the page again.`);
  }
  if (!response.ok) throw new Error(`${name} can't be loaded (HTTP ${response.status}): was the whole folder copied to the server?`);
  const reader = response.body.getReader(), parts = [];
  for (let { done, value } = await reader.read(); !done; { done, value } = await reader.read()) {
    parts.push(value);
    onProgress(value.length);
  }
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}

export async function downloadJson(url) {
  return JSON.parse(new TextDecoder().decode(await download(url)));
}
