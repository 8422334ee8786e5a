/** How the laws came out, and that as a table for people. */
import { type Law, type LawBroken, type LawNumber, statements } from "./law.ts"

/**
 * How one check of a law came out at a location.
 *
 * @category models
 * @since 0.2.0
 */
export type Outcome =
  | { readonly _tag: "Kept"; readonly law: Law }
  | { readonly _tag: "Broken"; readonly law: Law; readonly broken: LawBroken }
  | { readonly _tag: "NotApplicable"; readonly law: Law; readonly reason: string }

/**
 * How every check of every law came out at a location.
 *
 * @category models
 * @since 0.2.0
 */
export interface Report {
  readonly location: string
  readonly outcomes: ReadonlyArray<Outcome>
}

/**
 * A Markdown table of laws by locations: `kept`, `broken` or `-` where a law does not apply, with notes below that say
 * what was seen and why.
 *
 * @category converting
 * @since 0.2.0
 */
export const toMarkdown = (reports: ReadonlyArray<Report>): string => {
  const notes: Array<string> = []
  const note = (text: string): string => {
    const known = notes.indexOf(text)
    return `[${known === -1 ? notes.push(text) : known + 1}]`
  }
  const numbers = Object.keys(statements).map((number) => Number(number) as LawNumber) // the keys are those numbers
  const rows = numbers.map((number) =>
    row([`${number}. ${statements[number]}`, ...reports.map((report) => cell(report, number, note))])
  )
  const head = row(["Law", ...reports.map(({ location }) => location)])
  const table = [head, row(["---", ...reports.map(() => "---")]), ...rows]
  return [...table, "", ...notes.map((text, index) => `[${index + 1}] ${text}  `)].join("\n")
}

const row = (cells: ReadonlyArray<string>): string => `| ${cells.join(" | ")} |`

const cell = ({ location, outcomes }: Report, number: LawNumber, note: (text: string) => string): string => {
  const own = outcomes.filter(({ law }) => law.number === number)
  const broken = own.filter((outcome) => outcome._tag === "Broken")
  const left = own.filter((outcome) => outcome._tag === "NotApplicable")
  const extent = left.length === own.length ? "Not tried" : "Tried in part"
  const texts = [
    ...broken.map(({ broken, law }) => `${location}, ${law.name}: expected ${broken.expected}, saw ${broken.seen}.`),
    ...left.map(({ reason }) => `${extent}: ${reason}.`)
  ]
  const word = broken.length > 0
    ? `**broken** ${broken.length} of ${own.length}`
    : left.length === own.length
    ? "-"
    : "kept"
  return [word, ...new Set(texts.map(note))].join(" ")
}
