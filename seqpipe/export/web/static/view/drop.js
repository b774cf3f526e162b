// Files that are dropped onto the page.

/** `take` is given the first one, while `mayDrop()` is true. */
export function onDrop(mayDrop, take) {
  for (const kind of ["dragover", "dragleave", "drop"])
    document.addEventListener(kind, (event) => {
      event.preventDefault();
      document.body.classList.toggle("dropping", kind === "dragover" && mayDrop());
      const [dropped] = kind === "drop" && mayDrop() ? event.dataTransfer.files : [];
      if (dropped) take(dropped);
    });
}
