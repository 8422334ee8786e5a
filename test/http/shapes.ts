/**
 * The shapes of bad requests: each makes, of numbers from 0 to 1, a request that a client gets wrong or an attacker
 * gets right. What is found to do harm is added here.
 */

export interface Shape {
  readonly name: string
  readonly make: (random: () => number) => BadRequest
}

export interface BadRequest {
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
}

const methods = ["greet", "form", "sum", "scale", "raw", "nothing", "fail", "remaining", "count", "shed", "listen"]

const pick = <A>(random: () => number, values: ReadonlyArray<A>): A => values[Math.floor(random() * values.length)]!

const integer = (random: () => number, limit: number) => Math.floor(random() * limit)

const text = (value: string) => new TextEncoder().encode(value)

const bytes = (random: () => number, length: number) => Uint8Array.from({ length }, () => integer(random, 256))

const route = (random: () => number) => `/test/Vision/${pick(random, methods)}`

const json = (random: () => number, body: string, path = route(random)): BadRequest => ({
  method: "POST",
  path,
  headers: { "content-type": "application/json" },
  body: text(body)
})

const scalars = [
  "null",
  "true",
  "0",
  "-0",
  "-1",
  "1e308",
  "1e999",
  "-1e999",
  "0.1",
  "9007199254740993",
  "\"\"",
  "\"NaN\"",
  "\"Infinity\"",
  "\"-Infinity\"",
  "\"\\u0000\"",
  "\"\\ud800\"",
  "[]",
  "{}",
  "[[]]",
  "NaN",
  "undefined",
  "Infinity",
  "'x'",
  "0x10",
  "01",
  "-",
  "+1"
]

const names = [
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
  "toString",
  "hasOwnProperty",
  "__proto__",
  "constructor",
  "prototype",
  "",
  "0",
  "length"
]

const value = (random: () => number, depth: number): string => {
  const kind = random()
  if (depth === 0 || kind < 0.5) return pick(random, scalars)
  if (kind < 0.6) return JSON.stringify(String.fromCharCode(...Array.from(bytes(random, 20))))
  const length = integer(random, 5)
  return kind < 0.75
    ? `[${Array.from({ length }, () => value(random, depth - 1)).join()}]`
    : object(random, depth - 1)
}

const object = (random: () => number, depth: number): string => {
  const length = integer(random, 6)
  return `{${Array.from({ length }, () => `${JSON.stringify(pick(random, names))}:${value(random, depth)}`).join()}}`
}

const sizes = [
  "0",
  "-1",
  "1",
  "1.5",
  "1e9",
  "9007199254740991",
  "9007199254740993",
  "-9007199254740991",
  "1e400",
  "null",
  "\"3\""
]

const tensor = (random: () => number): string => {
  const shape = Array.from({ length: integer(random, 5) }, () => pick(random, sizes)).join()
  const dtype = pick(random, ["float32", "uint8", "int64", "float99", "toString", "__proto__", "constructor", ""])
  const data = pick(random, ["", "AAAA", "AACAPw==", "AACAPwAAgD8=", "!!!!", "AAA", "====", "\\u0000"])
  return `{"dtype":"${dtype}","shape":[${shape}],"data":"${data}"}`
}

const boundary = "limit"

const part = (random: () => number): string => {
  const name = pick(random, names)
  const disposition = pick(random, [
    `form-data; name="${name}"`,
    `form-data; name="${name}"; filename="../../etc/passwd"`,
    `form-data; name="${name}"; filename=""`,
    "form-data",
    "attachment",
    "",
    `form-data; name="${"n".repeat(integer(random, 3000))}"`
  ])
  const type = pick(random, [
    "",
    "content-type: application/json\r\n",
    "content-type: application/octet-stream; shape=99999999999x99999999999x3\r\n",
    "content-type: application/octet-stream; shape=-1\r\n",
    "content-type: image/png\r\n",
    "content-type: ;;;\r\n",
    "content-transfer-encoding: base64\r\n"
  ])
  const body = pick(random, ["", "1", "x", tensor(random), value(random, 2), "\r\n--", `\r\n--${boundary}x`, "\u0000"])
  return `--${boundary}\r\ncontent-disposition: ${disposition}\r\n${type}\r\n${body}\r\n`
}

const cut = (random: () => number, whole: string) => whole.slice(0, integer(random, whole.length))

const contentTypes = [
  "",
  "application/json",
  "application/json; charset=utf-16",
  "APPLICATION/JSON",
  "application/json, text/plain",
  "text/plain",
  "application/x-www-form-urlencoded",
  "application/octet-stream",
  "application/octet-stream; shape=1e9",
  "application/octet-stream; shape=9007199254740993",
  "application/octet-stream; shape=2x2x2x2x2x2",
  "image/png",
  "image/",
  "audio/wav",
  "multipart/form-data",
  "multipart/form-data; boundary=",
  `multipart/form-data; boundary=${boundary}`,
  `multipart/form-data; boundary="${"b".repeat(300)}"`,
  "multipart/mixed; boundary=x",
  "application/vnd.chorale.frames",
  "; ; ;",
  "/".repeat(500)
]

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

const verbs = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD", "TRACE", "PROPFIND", "SEARCH", "QUERY"]

export const shapes: ReadonlyArray<Shape> = [
  { name: "JSON of any shape", make: (random) => json(random, value(random, 4)) },
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
    make: (random) => {
      const depth = integer(random, 20_000)
      const [open, close] = pick(random, [["[", "]"], ["{\"name\":", "}"], ["[{\"a\":[", "]}]"]] as const)
      return json(random, `${open.repeat(depth)}1${random() < 0.5 ? close.repeat(depth) : ""}`)
    }
  },
  {
    name: "JSON with keys of prototypes",
    make: (random) =>
      json(
        random,
        `{"name":"x","label":"x",${
          pick(random, ["\"__proto__\"", "\"__pr\\u006fto__\"", "\"constructor\"", "\"prototype\""])
        }:${pick(random, ["{\"prototype\":{\"a\":1}}", "{\"toString\":1}", "null", "[]", "\"x\""])}}`
      )
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
    make: (random) => {
      const whole = `${Array.from({ length: integer(random, 8) }, () => part(random)).join("")}--${boundary}--\r\n`
      return {
        method: "POST",
        path: `/test/Vision/${pick(random, ["form", "sum", "scale", "greet"])}`,
        headers: { "content-type": `multipart/form-data; boundary=${boundary}` },
        body: text(random() < 0.5 ? whole : cut(random, whole))
      }
    }
  },
  {
    name: "a form of too many parts",
    make: (random) => ({
      method: "POST",
      path: "/test/Vision/form",
      headers: { "content-type": `multipart/form-data; boundary=${boundary}` },
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
      headers: {
        "content-type": "application/json",
        [
          pick(random, [
            "chorale-deadline",
            "x-envoy-expected-rq-timeout-ms",
            "traceparent",
            "accept",
            "authorization",
            "expect",
            "b3"
          ])
        ]: pick(random, [
          "",
          "-1",
          "NaN",
          "1e999",
          "0",
          "00-0-0-0",
          "x".repeat(4000),
          "text/event-stream",
          "100-continue",
          "a=b;;;,,,"
        ])
      }
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
