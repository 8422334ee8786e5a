/**
 * The shapes of bad requests to BentoML's routes: arguments by name in JSON, tensors as nested lists, forms with files,
 * and the one argument that has no name.
 */
import type { BadRequest, Shape } from "../fixtures/hostile/attack.ts"
import * as Pieces from "../fixtures/hostile/pieces.ts"
import { names } from "../http/shapes.ts"

const {
  bytes,
  contentTypes,
  cut,
  deep,
  form,
  formType,
  integer,
  oddHeader,
  pick,
  poison,
  scalars,
  text,
  tricks,
  verbs
} = Pieces

const methods = ["greet", "form", "sum", "scale", "raw", "nothing", "fail", "remaining", "count", "shed"]

const value = (random: Pieces.Random, depth: number) => Pieces.value(random, depth, names)

const object = (random: Pieces.Random, depth: number) => Pieces.object(random, depth, names)

const route = (random: Pieces.Random) => `/${pick(random, methods)}`

const json = (random: Pieces.Random, body: string, path = route(random)): BadRequest => ({
  method: "POST",
  path,
  headers: { "content-type": "application/json" },
  body: text(body)
})

/** Lists that are a tensor, or almost: ragged, of another rank, empty, of other things than numbers, deep, or long. */
const lists = (random: Pieces.Random): string => {
  const kind = random()
  if (kind < 0.05) return deep(random)
  if (kind < 0.15) return pick(random, scalars)
  if (kind < 0.2) return `[${"0,".repeat(integer(random, 3000))}0]`
  if (kind < 0.25) return claim(random)
  const rank = integer(random, 5)
  const nested = (axis: number): string =>
    axis === rank
      ? pick(random, ["0", "1.5", "-1", "null", "true", "1e308", "1e999", "256", "\"1\"", "{}", "9007199254740993"])
      : `[${Array.from({ length: integer(random, 4) }, () => nested(axis + 1)).join()}]`
  return nested(0)
}

/** Lists of which the first says how long all are, so that they claim a billion times what is there. */
const claim = (random: Pieces.Random): string => {
  const others = () => ",[]".repeat(integer(random, 7000))
  return `[[[${"0,".repeat(integer(random, 7000))}0]${others()}]${others()}]`
}

const part = (random: Pieces.Random) =>
  Pieces.part(random, names, [lists(random), value(random, 2), "http://127.0.0.1:1/x"])

const paths = methods.map((method) => `/${method}`)

export const shapes: ReadonlyArray<Shape> = [
  { name: "JSON of any shape", make: (random) => json(random, value(random, 4)) },
  { name: "arguments of any value", make: (random) => json(random, object(random, 3)) },
  {
    name: "arguments that fit, or almost",
    make: (random) =>
      pick(random, [
        () => json(random, `{"name":${pick(random, ["\"x\"", "\"\"", "null", "1"])}}`, "/greet"),
        () => json(random, `{"reason":"${pick(random, ["empty", "unknown", ""])}"}`, "/fail"),
        () => json(random, `{"to":${pick(random, ["-1", "0", "0.5"])}}`, "/count"),
        () => json(random, `{"vector":[1,2],"by":${pick(random, scalars)}}`, "/scale")
      ])()
  },
  {
    name: "a tensor of any lists",
    make: (random) =>
      pick(random, [
        () => json(random, `{"vector":${lists(random)},"by":2}`, "/scale"),
        () => json(random, `{"vector":${lists(random)}}`, "/sum"),
        () => json(random, `{"vector":${lists(random).replaceAll("1.5", "1e40")}}`, "/sum"),
        () => json(random, `{"image":"AAAA","label":"x","top":1,"pixels":${lists(random)}}`, "/form")
      ])()
  },
  {
    name: "a file of any value in JSON",
    make: (random) => json(random, `{"image":${value(random, 2)},"label":"x","top":1}`, "/form")
  },
  { name: "JSON that is cut off", make: (random) => json(random, cut(random, object(random, 4))) },
  { name: "JSON that nests deeply", make: (random) => json(random, deep(random)) },
  {
    name: "JSON with keys of prototypes",
    make: (random) => json(random, `{"name":"x","label":"x",${poison(random)}}`)
  },
  {
    name: "bytes that are no UTF-8",
    make: (random) => ({ ...json(random, ""), body: bytes(random, integer(random, 200)) })
  },
  {
    name: "any body as any content type",
    make: (random) => ({
      method: "POST",
      path: route(random),
      headers: { "content-type": pick(random, contentTypes) },
      body: random() < 0.5 ? bytes(random, integer(random, 300)) : text(object(random, 2))
    })
  },
  {
    name: "a form of any parts, whole or cut off",
    make: (random) => ({
      method: "POST",
      path: pick(random, ["/form", "/sum", "/scale", "/greet", "/raw"]),
      headers: { "content-type": formType },
      body: text(form(random, () => part(random)))
    })
  },
  {
    name: "a form of too many parts",
    make: (random) => ({
      method: "POST",
      path: "/form",
      headers: { "content-type": formType },
      body: text(part(random).repeat(50 + integer(random, 100)))
    })
  },
  {
    name: "headers of any value",
    make: (random) => ({
      ...json(random, "{\"name\":\"x\"}", "/greet"),
      headers: { "content-type": "application/json", ...oddHeader(random) }
    })
  },
  {
    name: "a path that is almost one, with any verb",
    make: (random) => ({
      method: pick(random, verbs),
      path: pick(random, [...tricks(pick(random, paths)), ...tricks("/schema.json"), "/healthz", "/schema.json"]),
      headers: {},
      body: new Uint8Array(0)
    })
  },
  {
    name: "a route with any verb",
    make: (random) => ({ method: pick(random, verbs), path: route(random), headers: {}, body: new Uint8Array(0) })
  },
  {
    name: "a body over the limit",
    make: (random) => ({
      method: "POST",
      path: route(random),
      headers: { "content-type": pick(random, contentTypes) },
      body: new Uint8Array(70_000)
    })
  }
]
