/**
 * The shapes of bad requests to the routes of methods: each makes a request that a client gets wrong or an attacker
 * gets right. What is found to do harm is added here.
 */
import type { BadRequest, Shape } from "../fixtures/hostile/attack.ts"
import * as Pieces from "../fixtures/hostile/pieces.ts"

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
  sizes,
  text,
  verbs
} = Pieces

const methods = ["greet", "form", "sum", "scale", "raw", "nothing", "fail", "remaining", "count", "shed", "listen"]

export const names = [
  "name",
  "image",
  "pixels",
  "label",
  "top",
  "tags",
  "vector",
  "by",
  "reason",
  "to",
  "audio",
  "dtype",
  "shape",
  "data",
  "_tag",
  ...Pieces.inherited
]

const value = (random: Pieces.Random, depth: number) => Pieces.value(random, depth, names)

const object = (random: Pieces.Random, depth: number) => Pieces.object(random, depth, names)

const route = (random: Pieces.Random) => `/test/Vision/${pick(random, methods)}`

const json = (random: Pieces.Random, body: string, path = route(random)): BadRequest => ({
  method: "POST",
  path,
  headers: { "content-type": "application/json" },
  body: text(body)
})

export const tensor = (random: Pieces.Random): string => {
  const shape = Array.from({ length: integer(random, 5) }, () => pick(random, sizes)).join()
  const dtype = pick(random, ["float32", "uint8", "int64", "float99", "toString", "__proto__", "constructor", ""])
  const data = pick(random, ["", "AAAA", "AACAPw==", "AACAPwAAgD8=", "!!!!", "AAA", "====", "\\u0000"])
  return `{"dtype":"${dtype}","shape":[${shape}],"data":"${data}"}`
}

const part = (random: Pieces.Random) => Pieces.part(random, names, [tensor(random), value(random, 2)])

const tricks = [
  "/",
  "//",
  "/..",
  "/../livez",
  "/%2e%2e/livez",
  "/test/Vision/greet/",
  "//test//Vision//greet",
  "/test/Vision/../Vision/greet",
  "/test/Vision/%2e%2e/greet",
  "/test%2FVision%2Fgreet",
  "/test%5CVision%5Cgreet",
  "/test/Vision/greet%00",
  "/test/Vision/%00greet",
  "/test/Vision/greet;a=b",
  "/test/Vision/greet?",
  "/test/Vision/greet?__proto__=1&constructor=2",
  `/test/Vision/greet?${"a=1&".repeat(2000)}`,
  "/test/Vision/%67reet",
  "/test/Vision/%zz",
  "/%",
  "/%c0%af",
  "/%ff%fe",
  "/test/Vision/__proto__",
  "/test/Vision/constructor",
  "/test/Vision/toString",
  "/test/Vision/listen",
  "/rpc",
  "/rpc/",
  "/RPC",
  "/livez",
  "/readyz",
  "/metrics",
  "/openapi.json",
  "/docs/../openapi.json",
  `/${"a".repeat(8000)}`,
  `/${"a/".repeat(4000)}`,
  `/${"%2e%2e/".repeat(1000)}etc/passwd`,
  "http://127.0.0.1:1/livez",
  "http://[::1/",
  "*",
  "/test/Vision/greet#fragment"
]

export const shapes: ReadonlyArray<Shape> = [
  { name: "JSON of any shape", make: (random) => json(random, value(random, 4)) },
  {
    name: "a call that the model refuses, or almost",
    make: (random) =>
      random() < 0.5
        ? json(random, `{"reason":"${pick(random, ["empty", "unknown", "Empty", ""])}"}`, "/test/Vision/fail")
        : json(random, `{"to":${pick(random, ["-1", "0", "2", "0.5", "1e999"])}}`, "/test/Vision/count")
  },
  { name: "an object of any fields", make: (random) => json(random, object(random, 3)) },
  {
    name: "a tensor of any dtype, sizes and bytes",
    make: (random) =>
      json(
        random,
        `{"vector":${tensor(random)},"by":${pick(random, scalars)}}`,
        `/test/Vision/${pick(random, ["sum", "scale"])}`
      )
  },
  { name: "JSON that is cut off", make: (random) => json(random, cut(random, object(random, 4))) },
  {
    name: "JSON that nests deeply",
    make: (random) => json(random, deep(random))
  },
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
      path: `/test/Vision/${pick(random, ["form", "sum", "scale", "greet"])}`,
      headers: { "content-type": formType },
      body: text(form(random, () => part(random)))
    })
  },
  {
    name: "a form of too many parts",
    make: (random) => ({
      method: "POST",
      path: "/test/Vision/form",
      headers: { "content-type": formType },
      body: text(part(random).repeat(50 + integer(random, 100)))
    })
  },
  {
    name: "a path that is none, with any verb",
    make: (random) => ({
      method: pick(random, verbs),
      path: pick(random, tricks),
      headers: {},
      body: new Uint8Array(0)
    })
  },
  {
    name: "a route with any verb",
    make: (random) => ({ method: pick(random, verbs), path: route(random), headers: {}, body: new Uint8Array(0) })
  },
  {
    name: "headers of any value",
    make: (random) => ({
      ...json(random, "{\"name\":\"x\"}"),
      headers: { "content-type": "application/json", ...oddHeader(random) }
    })
  },
  {
    name: "frames that are none",
    make: (random) => ({
      method: "POST",
      path: "/rpc",
      headers: { "content-type": "application/vnd.chorale.frames" },
      body: bytes(random, integer(random, 200))
    })
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
