/** What the recogniser read in one line, and the mean probability of its characters: 0 when there are none. */
export type Reading = { readonly text: string; readonly confidence: number }

/**
 * The characters by the index the recogniser gives them, from the text of a PP-OCR dictionary: one character a line.
 *
 * Index 0 is the CTC blank and the last index is a space, neither of which is in the file.
 */
export const parseDictionary = (text: string): ReadonlyArray<string> => {
  const lines = text.split(/\r?\n/)
  if (lines.at(-1) === "") lines.pop()
  return ["", ...lines, " "]
}

/**
 * The most probable character of each step, without repeats, blanks, and spaces at the ends.
 *
 * `probabilities` is row-major, one row per step and one column per entry of the dictionary. A row must sum to 1: the
 * search of a row ends at the first entry above a half.
 */
export const decodeText = (probabilities: Float32Array, dictionary: ReadonlyArray<string>): Reading => {
  const classes = dictionary.length
  let text = ""
  let total = 0
  let kept = 0
  let previous = 0
  for (let row = 0; row + classes <= probabilities.length; row += classes) {
    let best = 0
    let highest = probabilities[row]!
    for (let index = 1; index < classes && highest <= 0.5; index++) {
      const probability = probabilities[row + index]!
      if (probability > highest) {
        highest = probability
        best = index
      }
    }
    if (best !== 0 && best !== previous) {
      text += dictionary[best]!
      total += highest
      kept++
    }
    previous = best
  }
  return { text: text.trim(), confidence: kept === 0 ? 0 : total / kept }
}
