/** Addresses: what is one, what is none, and where the configuration has them. */
import { assert, describe, it } from "@effect/vitest"
import { Model } from "chorale"
import { ConfigProvider, Effect, Option, Result, Stream } from "effect"
import { Rpc } from "effect/rpc"
import * as Discovery from "../src/Discovery.ts"

const named = (key: string) => Model.Service<never>()(key, [Rpc.make("ping")])
const Detector = named("ocr/TextDetector")

const withEnv = (env: Record<string, string>) => Effect.provide(ConfigProvider.layer(ConfigProvider.fromEnv({ env })))

describe("Discovery.variables", () => {
  it("names the variable after the service, in capitals", () => {
    const names = [
      ["ocr/TextDetector", "OCR_TEXT_DETECTOR_URL", "TEXT_DETECTOR_URL"],
      ["ocr/OCRModel", "OCR_OCR_MODEL_URL", "OCR_MODEL_URL"],
      ["search/gpt2Embedder", "SEARCH_GPT2_EMBEDDER_URL", "GPT2_EMBEDDER_URL"],
      ["my-app/v1/text.reader", "MY_APP_V1_TEXT_READER_URL", "TEXT_READER_URL"],
      ["ResNet50", "RES_NET50_URL"],
      ["A", "A_URL"]
    ]
    for (const [key = "", ...expected] of names) {
      assert.deepStrictEqual(Discovery.variables(named(key)), expected)
    }
  })

  it("gives what every shell takes as a name, whatever the key", () => {
    let seed = 7
    const random = (below: number) => (seed = (seed * 48_271) % 2_147_483_647) % below
    const letters = "aB3/-_. éZ"
    for (let index = 0; index < 2000; index++) {
      const key = Array.from({ length: 1 + random(12) }, () => letters[random(letters.length)]).join("")
      for (const name of Discovery.variables(named(`x${key}/y`))) {
        assert.match(name, /^[A-Z][A-Z0-9]*(_[A-Z0-9]+)*_URL$/)
      }
    }
  })
})

describe("Discovery.parse", () => {
  it("takes apart what is an address", () => {
    const addresses: ReadonlyArray<readonly [string, Discovery.Parts]> = [
      ["unix:/run/detector.sock", { scheme: "unix", path: "/run/detector.sock" }],
      ["tcp://10.0.0.1:4000", { scheme: "tcp", host: "10.0.0.1", port: 4000, servername: undefined, lookup: false }],
      ["tcp://[::1]:4000", { scheme: "tcp", host: "::1", port: 4000, servername: undefined, lookup: false }],
      ["dns+tcp://a.b:1", { scheme: "tcp", host: "a.b", port: 1, servername: undefined, lookup: true }],
      ["tls://10.0.0.1:1?servername=a.b", {
        scheme: "tls",
        host: "10.0.0.1",
        port: 1,
        servername: "a.b",
        lookup: false
      }],
      ["http://a:8080/", { scheme: "http", url: "http://a:8080", host: "a", port: 8080, lookup: false }],
      ["http://a/models/x", { scheme: "http", url: "http://a/models/x", host: "a", port: 80, lookup: false }],
      ["https://a.b", { scheme: "https", url: "https://a.b", host: "a.b", port: 443, lookup: false }],
      ["dns+http://a:1", { scheme: "http", url: "http://a:1", host: "a", port: 1, lookup: true }]
    ]
    for (const [address, parts] of addresses) assert.deepStrictEqual(Discovery.parse(address), Result.succeed(parts))
  })

  it("refuses what is none, and says what is right", () => {
    const refused = [
      ["", "expected"],
      ["localhost:3000", "expected"],
      ["3000", "expected"],
      ["ftp://a:1", "expected"],
      ["tcp://", "has no host"],
      ["tcp://a", "needs a port"],
      ["tcp://a:0", "needs a port"],
      ["tcp://a:70000", "no address"],
      ["tcp://a:x", "no address"],
      ["tcp://:4000", "expected"],
      ["tcp://a:1/path", "more than a host and a port"],
      ["tcp://a:1?servername=b", "more than a host and a port"],
      ["tls://a:1?x=y", "more than a host and a port"],
      ["http://user:secret@a:1", "password"],
      ["http://a:1?x=y", "query"],
      ["unix:relative.sock", "unix:/path"],
      ["unix:", "unix:/path"],
      ["unix:///run/a.sock", "unix:/path"],
      ["dns+unix:/a", "expected"],
      ["dns+https://a", "certificate"]
    ]
    for (const [address = "", detail = ""] of refused) {
      const parsed = Discovery.parse(address)
      assert.isTrue(Result.isFailure(parsed), address)
      if (Result.isFailure(parsed)) assert.include(parsed.failure, detail, address)
    }
  })

  it("never throws, and accepts nothing that has no scheme", () => {
    let seed = 11
    const random = (below: number) => (seed = (seed * 48_271) % 2_147_483_647) % below
    const pieces = [
      "tcp",
      "tls",
      "http",
      "https",
      "unix",
      "dns+",
      "://",
      ":",
      "/",
      "//",
      "a",
      "[::1]",
      "[",
      "]",
      "@",
      "?",
      "#",
      "%",
      "80",
      " ",
      "é",
      "\0"
    ]
    for (let index = 0; index < 20_000; index++) {
      const address = Array.from({ length: random(8) }, () => pieces[random(pieces.length)]).join("")
      const parsed = Discovery.parse(address)
      if (Result.isFailure(parsed)) continue
      assert.match(address, /^(unix:\/|(dns\+)?(tcp|tls|https?):\/\/)/)
      const parts = parsed.success
      if (parts.scheme !== "unix") assert.isTrue(parts.port > 0 && parts.port < 65_536 && parts.host !== "", address)
    }
  })
})

describe("Discovery.configured", () => {
  it.effect("finds none where no variable is set, or an empty one", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* withEnv({ TEXT_DETECTOR_URL: "" })(Discovery.configured(Detector)), Option.none())
      assert.deepStrictEqual(yield* withEnv({ OTHER_URL: "tcp://a:1" })(Discovery.configured(Detector)), Option.none())
    }))

  it.effect("reads several addresses, and prefers the name of the whole key", () =>
    Effect.gen(function*() {
      const short = { TEXT_DETECTOR_URL: "unix:/a.sock, tcp://b:1 ,http://c" }
      assert.deepStrictEqual(
        yield* withEnv(short)(Discovery.configured(Detector)),
        Option.some(["unix:/a.sock", "tcp://b:1", "http://c"] as const)
      )
      assert.deepStrictEqual(
        yield* withEnv({ ...short, OCR_TEXT_DETECTOR_URL: "tcp://d:1" })(Discovery.configured(Detector)),
        Option.some(["tcp://d:1"] as const)
      )
    }))

  it.effect("names the variable, the value and what is right, where one is wrong", () =>
    Effect.gen(function*() {
      for (
        const [value, address] of [["tcp://a:1,b:2", "b:2"], ["tcp://a:1,", ""], [
          "tcp://a:1,tcp://a:1",
          "tcp://a:1"
        ]]
      ) {
        const error = yield* Effect.flip(withEnv({ TEXT_DETECTOR_URL: value ?? "" })(Discovery.configured(Detector)))
        assert.instanceOf(error, Discovery.AddressError)
        assert.strictEqual(error.source, "TEXT_DETECTOR_URL")
        assert.strictEqual(error.address, address)
        assert.include(error.message, `TEXT_DETECTOR_URL: "${address}" is`)
      }
    }))

  it.effect("may be a map, by the keys of services, which fails for one that it does not have", () =>
    Effect.gen(function*() {
      const find: Discovery.ByName<Discovery.AddressError> = Discovery.fromMap({ "ocr/TextDetector": ["tcp://a:1"] })
      assert.deepStrictEqual(yield* Stream.runCollect(find(Detector).addresses), [["tcp://a:1"]])
      const error = yield* Effect.flip(Stream.runCollect(Discovery.fromMap({})(Detector).addresses))
      assert.strictEqual(error.message, "ocr/TextDetector: \"\" is no address: the map has none")
    }))

  it.effect("is a discovery of addresses that fails where there are none", () =>
    Effect.gen(function*() {
      const addresses = Stream.runCollect(Discovery.fromConfig(Detector).addresses)
      assert.deepStrictEqual(yield* withEnv({ TEXT_DETECTOR_URL: "tcp://a:1" })(addresses), [["tcp://a:1"]])
      const error = yield* Effect.flip(withEnv({})(addresses))
      assert.include(error.message, "OCR_TEXT_DETECTOR_URL and TEXT_DETECTOR_URL")
    }))
})
