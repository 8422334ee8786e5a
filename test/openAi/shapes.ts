/** The shapes of bad requests to the routes of OpenAI: what is to be embedded, by which model, and in which form. */
import type { BadRequest, Shape } from "../fixtures/hostile/attack.ts"
import * as Pieces from "../fixtures/hostile/pieces.ts"

const { bytes, contentTypes, cut, deep, integer, oddHeader, pick, poison, scalars, text, tricks, verbs } = Pieces

export const models = ["one", "many", "acme/large"]

const names = ["input", "model", "encoding_format", "dimensions", "user", ...Pieces.inherited]

const value = (random: Pieces.Random, depth: number) => Pieces.value(random, depth, names)

const object = (random: Pieces.Random, depth: number) => Pieces.object(random, depth, names)

const json = (body: string): BadRequest => ({
  method: "POST",
  path: "/v1/embeddings",
  headers: { "content-type": "application/json" },
  body: text(body)
})

const model = (random: Pieces.Random) =>
  random() < 0.8
    ? JSON.stringify(pick(random, models))
    : pick(random, ["\"none\"", "\"\"", "null", "7", "{}", `"${"m".repeat(3000)}"`, "\"__proto__\"", "\"../one\""])

const input = (random: Pieces.Random): string =>
  pick(random, [
    () => "\"a text\"",
    () => "[\"a text\",\"another\"]",
    () => "\"\"",
    () => "[]",
    () => "[\"\"]",
    () => "[1,2,3]",
    () => "[[1,2],[3]]",
    () => "[\"a\",1]",
    () => "[[\"a\"]]",
    () => `[${"\"x\",".repeat(integer(random, 3000))}"x"]`,
    () => JSON.stringify("x".repeat(integer(random, 50_000))),
    () => value(random, 3)
  ])()

const fields = (random: Pieces.Random): string => {
  const format = random() < 0.5
    ? ""
    : `,"encoding_format":${pick(random, ["\"float\"", "\"base64\"", "null", "\"int8\"", "[]", "7"])}`
  const dimensions = random() < 0.7
    ? ""
    : `,"dimensions":${pick(random, ["3", "null", "4", "0", "-1", "1.5", "1e308", "\"3\"", "9007199254740993"])}`
  return `"input":${input(random)},"model":${model(random)}${format}${dimensions}`
}

export const shapes: ReadonlyArray<Shape> = [
  { name: "what is to be embedded, or almost", make: (random) => json(`{${fields(random)}}`) },
  { name: "JSON of any shape", make: (random) => json(value(random, 4)) },
  { name: "an object of any fields", make: (random) => json(object(random, 3)) },
  {
    name: "a field of any value",
    make: (random) =>
      json(`{"input":"x","model":"one",${JSON.stringify(pick(random, names))}:${pick(random, scalars)}}`)
  },
  { name: "JSON that is cut off", make: (random) => json(cut(random, `{${fields(random)}}`)) },
  { name: "JSON that nests deeply", make: (random) => json(`{"model":"one","input":${deep(random)}}`) },
  { name: "JSON with keys of prototypes", make: (random) => json(`{"model":"one","input":"x",${poison(random)}}`) },
  { name: "bytes that are no UTF-8", make: (random) => ({ ...json(""), body: bytes(random, integer(random, 200)) }) },
  {
    name: "any body as any content type",
    make: (random) => ({
      ...json(`{${fields(random)}}`),
      headers: { "content-type": pick(random, contentTypes) },
      ...random() < 0.5 ? { body: bytes(random, integer(random, 300)) } : {}
    })
  },
  {
    name: "headers of any value",
    make: (random) => ({
      ...json("{\"input\":\"x\",\"model\":\"one\"}"),
      headers: { "content-type": "application/json", ...oddHeader(random) }
    })
  },
  {
    name: "a path that is almost one, with any verb",
    make: (random) => ({
      method: pick(random, verbs),
      path: pick(random, tricks(pick(random, ["/v1/embeddings", "/v1/models", "/v1/models/one"]))),
      headers: {},
      body: new Uint8Array(0)
    })
  },
  {
    name: "a model of any name",
    make: (random) => ({
      method: "GET",
      path: `/v1/models/${
        pick(random, [
          "",
          "one",
          "acme%2Flarge",
          "acme/large",
          "%00",
          "%zz",
          "__proto__",
          "..",
          "x".repeat(3000),
          "?a=1"
        ])
      }`,
      headers: {},
      body: new Uint8Array(0)
    })
  },
  { name: "a body over the limit", make: (random) => ({ ...json(""), body: bytes(random, 70_000) }) }
]
