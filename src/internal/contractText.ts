/** Shapes in the words of a message. */
import * as Tensor from "../Tensor.ts"
import type { Part, Shape } from "./contractShape.ts"

/** A part in a few words, such as `float32[n, 3] or null`. */
export const toText = (shape: Shape, part: Part): string => text(shape, part, 3)

const maxNames = 6

const text = (shape: Shape, part: Part, levels: number): string => {
  switch (part.type) {
    case "any":
      return "anything"
    case "json":
      return "any JSON"
    case "never":
      return "nothing"
    case "string":
      return part.format === undefined ? "a string" : `a ${part.format} in a string`
    case "number":
    case "boolean":
      return `a ${part.type}`
    case "literal":
      return JSON.stringify(part.value)
    case "tensor":
      return Tensor.describe(part.dtype, part.dimensions)
    case "object":
      return object(part)
    case "array":
      return array(shape, part, levels)
    case "union":
      return levels === 0
        ? "one of several"
        : some(part.members.map((member) => text(shape, member, levels - 1)), " or ")
    case "stream":
      return levels === 0 ? "a stream" : `a stream of ${text(shape, part.item, levels - 1)}`
    case "reference":
      return reference(shape, part.to, levels)
    default:
      return part.type
  }
}

const object = ({ fields, rest }: Extract<Part, { readonly type: "object" }>): string => {
  const tag = fields.find(({ name, part }) => name === "_tag" && part.type === "literal")
  if (tag?.part.type === "literal") return String(tag.part.value)
  const names = fields.map(({ name, optional }) => optional ? `${name}?` : name)
  return fields.length === 0 && rest.length > 0 ? "a record" : names.length === 0 ? "{}" : `{ ${some(names, ", ")} }`
}

const array = (shape: Shape, { elements, rest }: Extract<Part, { readonly type: "array" }>, levels: number): string => {
  if (levels === 0) return "a list"
  const [item] = rest
  if (item !== undefined && elements.length === 0 && rest.length === 1) {
    return `a list of ${text(shape, item, levels - 1)}`
  }
  const fixed = elements.map(({ optional, part }) => `${text(shape, part, levels - 1)}${optional ? "?" : ""}`)
  const others = rest.map((part, index) => `${index === 0 ? "..." : ""}${text(shape, part, levels - 1)}`)
  return `[${some([...fixed, ...others], ", ")}]`
}

const reference = (shape: Shape, to: number, levels: number): string => {
  const definition = shape.definitions[to]
  return definition === undefined || levels === 0 ? "a recursive value" : text(shape, definition, levels - 1)
}

const some = (texts: ReadonlyArray<string>, separator: string): string =>
  texts.length <= maxNames
    ? texts.join(separator)
    : `${texts.slice(0, maxNames).join(separator)}${separator}${texts.length - maxNames} others`
