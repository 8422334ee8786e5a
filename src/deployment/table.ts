/** Lines of text in columns. */

/** A table with a heading; the columns `right`, by index, are aligned at their end. */
export const table = (
  heading: ReadonlyArray<string>,
  rows: ReadonlyArray<ReadonlyArray<string>>,
  { right = [] }: { readonly right?: ReadonlyArray<number> } = {}
): string => {
  const widths = heading.map((name, column) => Math.max(name.length, ...rows.map((row) => (row[column] ?? "").length)))
  const line = (row: ReadonlyArray<string>) =>
    widths.map((width, column) => {
      const cell = row[column] ?? ""
      return right.includes(column) ? cell.padStart(width) : cell.padEnd(width)
    }).join("  ").trimEnd()
  return [heading, ...rows].map(line).join("\n")
}
