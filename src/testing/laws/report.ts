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
  /** Calls there cannot carry what the law asks for. */
  | { readonly _tag: "NotKept"; readonly law: Law; readonly reason: string }
  /** There is nothing there of which the law says something. */
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
 * A Markdown table of laws by locations, with notes below that say what was seen and why.
 *
 * A law is `kept`, `broken`, kept `in part` or not at all (`no`) where calls cannot carry what it asks for, or `-` where
 * it does not apply.
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
  const not = own.filter((outcome) => outcome._tag === "NotKept")
  const left = own.filter((outcome) => outcome._tag === "NotApplicable")
  const tried = own.length - left.length - not.length
  const texts = [
    ...broken.map(({ broken, law }) => `${location}, ${law.name}: expected ${broken.expected}, saw ${broken.seen}.`),
    ...not.map(({ reason }) => `Cannot be kept${tried === 0 ? "" : " as a whole"}: ${reason}.`),
    ...left.map(({ reason }) => `${tried === 0 ? "Not tried" : "Tried in part"}: ${reason}.`)
  ]
  const word = broken.length > 0
    ? `**broken** ${broken.length} of ${own.length}`
    : tried > 0
    ? not.length > 0 ? "in part" : "kept"
    : not.length > 0
    ? "no"
    : "-"
  return [word, ...new Set(texts.map(note))].join(" ")
}
