/** The pictures of the example, and how well a text agrees with what is in one. */
import { readdirSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"

const folder = new URL("../../examples/ocr/samples/", import.meta.url)

export interface Sample {
  readonly name: string
  readonly path: string
  readonly expected: string
}

/** All pictures with a text beside them. */
export const samples: ReadonlyArray<Sample> = readdirSync(folder)
  .filter((name) => /\.(jpg|png)$/.test(name))
  .map((name) => ({
    name,
    path: fileURLToPath(new URL(name, folder)),
    expected: normalise(readFileSync(new URL(name.replace(/\.\w+$/, ".txt"), folder), "utf8"))
  }))

/**
 * How many characters must be added, dropped or changed to make the text of a sample what it should be.
 *
 * Any white space counts as one space, because to give the two columns of a row as two lines is no error.
 */
export const characterErrors = ({ expected }: Sample, text: string): number => {
  const from = Array.from(normalise(text))
  const to = Array.from(expected)
  let row = Array.from({ length: to.length + 1 }, (_, index) => index)
  for (const [index, character] of from.entries()) {
    const next = [index + 1]
    for (let column = 0; column < to.length; column++) {
      const changed = row[column]! + (character === to[column] ? 0 : 1)
      next.push(Math.min(changed, row[column + 1]! + 1, next[column]! + 1))
    }
    row = next
  }
  return row[to.length]!
}

function normalise(text: string): string {
  return text.replace(/\s+/g, " ").trim()
}
