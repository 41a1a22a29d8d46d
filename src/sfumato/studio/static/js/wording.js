// Small words: numbers of things, names that programs gave, first letters.

/** "1 picture", "2 pictures". */
export const count = (number, noun) =>
  `${number.toLocaleString()} ${noun}${number === 1 ? "" : "s"}`;

/** A field's or a check's name as people write it. */
export const inWords = (name) => name.replaceAll("_", " ");

export const capital = (word) => word.charAt(0).toUpperCase() + word.slice(1);
