/** The shapes of bad requests to `/rpc`, whose bodies are frames, and to the pages of a server: health, metrics, docs. */
import type { BadRequest, Shape } from "../fixtures/hostile/attack.ts"
import * as Pieces from "../fixtures/hostile/pieces.ts"
import * as HostileFrames from "../fixtures/hostileFrames.ts"

const { bytes, contentTypes, integer, oddHeader, pick, text, tricks, verbs } = Pieces

const methods = ["greet", "form", "sum", "scale", "raw", "nothing", "fail", "remaining", "count", "shed", "listen"]

// They have numbers of their own, which are the same in every run too.
const frames = HostileFrames.make(4, [
  ...methods.map((method) => `test/Vision/${method}`),
  "chorale/stream",
  "test/Vision/other"
])

const call = (body: Uint8Array, headers: BadRequest["headers"] = {}): BadRequest => ({
  method: "POST",
  path: "/rpc",
  headers: { "content-type": "application/vnd.chorale.frames", ...headers },
  body
})

const pages = ["/livez", "/readyz", "/metrics", "/openapi.json"]

export const shapes: ReadonlyArray<Shape> = [
  { name: "a call of any method with any payload", make: () => call(frames.wellFormed()) },
  { name: "a frame that is wrong", make: () => call(frames.malformed()) },
  {
    name: "several frames, or one and a half",
    make: (random) => {
      const several = Buffer.concat([frames.wellFormed(), frames.wellFormed()])
      return call(random() < 0.5 ? several : several.subarray(0, integer(random, several.byteLength)))
    }
  },
  { name: "bytes that are no frame", make: (random) => call(bytes(random, integer(random, 200))) },
  { name: "a call with headers of any value", make: (random) => call(frames.wellFormed(), oddHeader(random)) },
  {
    name: "a call as any content type",
    make: (random) => call(frames.wellFormed(), { "content-type": pick(random, contentTypes) })
  },
  {
    name: "a path that is almost that of calls, with any verb",
    make: (random) => ({
      method: pick(random, verbs),
      path: pick(random, tricks("/rpc")),
      headers: { "content-type": "application/vnd.chorale.frames" },
      body: random() < 0.5 ? frames.wellFormed() : new Uint8Array(0)
    })
  },
  { name: "a call over the limit", make: (random) => call(bytes(random, 70_000)) },
  {
    name: "a page with any verb, headers and body",
    make: (random) => ({
      method: pick(random, verbs),
      path: pick(random, pages),
      headers: oddHeader(random),
      body: random() < 0.5 ? new Uint8Array(0) : text(Pieces.value(random, 3, Pieces.inherited))
    })
  },
  {
    name: "a path that is almost that of a page, with any verb",
    make: (random) => ({
      method: pick(random, verbs),
      path: pick(random, tricks(random() < 0.1 ? "/docs" : pick(random, pages))),
      headers: {},
      body: new Uint8Array(0)
    })
  },
  {
    name: "a page with a body over the limit",
    make: (random) => ({
      method: pick(random, ["GET", "POST"]),
      path: pick(random, pages),
      headers: {},
      body: new Uint8Array(70_000)
    })
  }
]
