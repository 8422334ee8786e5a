/** What sort of value a description of BentoML's is of, as far as it says so. */

/** A description, ours or that of a server: JSON Schema with the types that BentoML adds. */
export interface Described {
  readonly type?: unknown
  readonly format?: unknown
  readonly dtype?: unknown
  readonly items?: unknown
}

/** How two descriptions differ, where a value of ours cannot be one of theirs, or one of theirs none of ours. */
export const differ = (
  ours: Described,
  theirs: Described
): { readonly ours: string; readonly theirs: string } | undefined => {
  const [own, other] = [kindOf(ours), kindOf(theirs)]
  if (own === undefined || other === undefined) return undefined
  return own === other || isTakenFor(own, other) ? undefined : { ours: own, theirs: other }
}

/** A text may be told from bytes, bytes from a file, and a tensor is lists or the one number that it has. */
const isTakenFor = (own: string, other: string): boolean =>
  own === "string" && other === "bytes" || own === "bytes" && other === "file" ||
  isNumbers(own) && isNumbers(other) && isTensor(own) !== isTensor(other)

const isTensor = (kind: string): boolean => kind.startsWith("tensor")

const isNumbers = (kind: string): boolean => isTensor(kind) || kind === "array" || kind === "number"

/** Unions and references say nothing here: what they hold is seen with each call. */
const kindOf = ({ dtype, format, items, type }: Described): string | undefined => {
  switch (type) {
    case "string":
      return format === "binary" ? "bytes" : "string"
    case "integer":
      return "number"
    case "tensor":
      return typeof dtype === "string" ? `tensor ${dtype.replace(/_$/, "")}` : undefined
    case "array":
      return isFile(items) ? "files" : "array"
    default:
      return typeof type === "string" ? type : undefined
  }
}

const isFile = (items: unknown): boolean =>
  typeof items === "object" && items !== null && "type" in items && items.type === "file"
