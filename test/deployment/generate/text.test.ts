/** The parts that the files are made of: amounts, names, texts of YAML, and that no secret gets into one. */
import { assert, describe, it } from "@effect/vitest"
import * as Generate from "../../../src/deployment/generate/Generate.ts"
import { addressVariable, names, variablesOf } from "../../../src/deployment/generate/naming.ts"
import { cpuQuantity, memoryOfCompose, memoryQuantity } from "../../../src/deployment/generate/quantity.ts"
import { commented, toYaml } from "../../../src/deployment/generate/yaml.ts"
import { unit } from "./descriptions.ts"

describe("an amount", () => {
  it("of cores is whole or in thousandths, rounded up", () => {
    const amounts = [0.5, 1, 1.5, 16, 0.0001, 0.1 * 3, 1.0005, 0].map((cpu) => cpuQuantity({ cpu }))
    assert.deepStrictEqual(amounts, ["500m", "1", "1500m", "16", "1m", "300m", "1001m", undefined])
    assert.isUndefined(cpuQuantity({}))
  })

  it("of memory has the largest unit that comes out even, so that no byte is missing", () => {
    const sizes = ["512 MiB", "1536 MiB", "4 GiB", "1 KiB", 1000, "1 GB", 0] as const
    assert.deepStrictEqual(sizes.map((memory) => memoryQuantity({ memory })), [
      "512Mi",
      "1536Mi",
      "4Gi",
      "1Ki",
      "1000",
      "1000000000",
      undefined
    ])
    assert.deepStrictEqual(sizes.map((memory) => memoryOfCompose({ memory })), [
      "512M",
      "1536M",
      "4G",
      "1K",
      "1000B",
      "1000000000B",
      undefined
    ])
    assert.isUndefined(memoryQuantity({}))
  })
})

describe("a name", () => {
  it("is that of the unit unless it is too long, and then is another for another unit", () => {
    const long = "a".repeat(62)
    const { derived, unit: nameOf } = names({
      name: "x",
      units: ["short", `${long}b`, `${long}c`].map((name) => unit(name, name))
    })
    assert.strictEqual(nameOf("short"), "short")
    assert.strictEqual(derived("short", "headless"), "short-headless")
    assert.notStrictEqual(nameOf(`${long}b`), nameOf(`${long}c`))
    for (const last of ["b", "c"]) {
      assert.match(nameOf(long + last), /^[a-z]([a-z0-9-]*[a-z0-9])?$/)
      assert.isAtMost(nameOf(long + last).length, 46)
    }
  })

  it("of what is made for a unit is not that of another unit", () => {
    const { derived } = names({ name: "x", units: [unit("a", "a"), unit("a-headless", "b")] })
    assert.notInclude(["a", "a-headless", "a-headless-headless"], derived("a", "headless"))
    assert.strictEqual(derived("a-headless", "headless"), "a-headless-headless")
  })
})

describe("the variable of an address", () => {
  it("is made of the last part of the key", () => {
    assert.strictEqual(addressVariable("ocr/TextDetector", ["ocr/TextDetector", "ocr/Ocr"]), "TEXT_DETECTOR_URL")
    assert.strictEqual(addressVariable("Reader", ["Reader"]), "READER_URL")
  })

  it("is never one that another service that is called would read first", () => {
    const sets = [["ocr/Reader", "audio/Reader"], ["ocr/Detector", "x/OcrDetector"], ["a/B", "c/AB", "d/A_B"]]
    for (const called of sets) {
      const set = new Map(called.map((key) => [addressVariable(key, called), key]))
      for (const key of called) {
        const first = variablesOf(key).find((name) => set.has(name)) ?? ""
        assert.strictEqual(set.get(first), key, called.join())
      }
    }
  })
})

describe("YAML", () => {
  it("has comments above the places that they are for", () => {
    const value = { a: { b: [{ c: 1 }] }, d: 2 }
    const text = toYaml([commented(value, [[], "whole"], [["a", "b", 0, "c"], "one\ntwo"], [["d"], "three"])])
    assert.strictEqual(text, "# whole\n\na:\n  b:\n    - # one\n      # two\n      c: 1\n# three\nd: 2\n")
  })

  it("refuses a comment on a place that is not there", () => {
    assert.throws(() => toYaml([commented({ a: { b: 1 } }, [["a", "c"], "text"])]), RangeError, "a.c")
  })

  it("repeats what is there twice, for a reader that knows no aliases", () => {
    const labels = { name: "a" }
    assert.strictEqual(toYaml([commented({ one: labels, two: labels })]), "one:\n  name: a\ntwo:\n  name: a\n")
  })
})

describe("the value of a secret", () => {
  it("is in no file, even where the description has it", () => {
    const more = { secrets: ["API_KEY"], environment: { API_KEY: "f1a95c0e-secret" }, expose: true }
    const description = { name: "one", units: [unit("reader", "a/Reader", more)] }
    const files = [
      ...Generate.kubernetes(description),
      ...Generate.kserve(description),
      ...Generate.compose(description),
      ...Generate.dockerfile(description)
    ]
    assert.isTrue(files.some(({ content }) => content.includes("API_KEY")))
    for (const { content, path } of files) assert.notInclude(content, "f1a95c0e", path)
  })
})
