/** Text of YAML that is the same for the same value, with comments where somebody has to read on. */
import { Document, isMap, isScalar, isSeq, type YAMLMap } from "yaml"

/** The keys and indexes that lead to a place in a value. */
export type Path = ReadonlyArray<string | number>

/** A value, and what is to be said above some of its places; the comment of an empty path is above the whole. */
export interface Commented<out A = object> {
  readonly value: A
  readonly comments: ReadonlyArray<readonly [path: Path, text: string]>
}

/** A value with comments above its places. */
export const commented = <A>(value: A, ...comments: Commented<A>["comments"]): Commented<A> => ({ value, comments })

/** Documents of YAML, in the order of the keys of their values; what is `undefined` is left out. */
export const toYaml = (documents: ReadonlyArray<Commented>): string => documents.map(documentText).join("---\n")

const documentText = ({ comments, value }: Commented): string => {
  // Parsers of YAML 1.1, which Kubernetes and docker compose have, take `yes` and `12:30` for something else than text.
  const document = new Document(value, { aliasDuplicateObjects: false, compat: "yaml-1.1" })
  for (const [path, text] of comments) place(document, path, text.replace(/^/gm, " "))
  return document.toString({ lineWidth: 0 })
}

const place = (document: Document, path: Path, text: string): void => {
  const last = path.at(-1)
  if (last === undefined) {
    document.commentBefore = text
    return
  }
  const parent = path.length === 1 ? document.contents : document.getIn(path.slice(0, -1), true)
  const node = isMap(parent) ? keyOf(parent, last) : isSeq(parent) ? parent.items[Number(last)] : undefined
  if (typeof node !== "object" || node === null) throw new RangeError(`there is no ${path.join(".")} to comment on`)
  Object.assign(node, { commentBefore: text })
}

const keyOf = (map: YAMLMap, key: string | number): unknown =>
  map.items.find((pair) => isScalar(pair.key) && pair.key.value === key)?.key
