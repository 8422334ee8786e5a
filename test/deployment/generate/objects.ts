/** Reads what was generated, as something would that was not made here. */
import { assert } from "@effect/vitest"
import { parseAllDocuments } from "yaml"
import type { File } from "../../../src/deployment/generate/Generate.ts"

/** A value of YAML of which a test looks at a part. */
// oxlint-disable-next-line no-explicit-any -- objects of many kinds, whose types the validators check
export type Value = any

/** All objects of all files. Kubernetes reads YAML 1.1, so what is read in both ways must be the same. */
export const objectsOf = (files: ReadonlyArray<File>): ReadonlyArray<Value> =>
  files.filter(({ path }) => path.endsWith(".yaml")).flatMap(({ content }) => {
    const read = (version: "1.1" | "1.2") =>
      parseAllDocuments(content, { version, uniqueKeys: true }).map((document) => {
        assert.deepStrictEqual(document.errors, [])
        return document.toJS() as Value
      })
    assert.deepStrictEqual(read("1.1"), read("1.2"))
    return read("1.2")
  })

export const ofKind = (objects: ReadonlyArray<Value>, kind: string): ReadonlyArray<Value> =>
  objects.filter((object) => object.kind === kind)

/** Whether labels are those that a selector asks for. */
export const selects = (selector: Record<string, string>, labels: Record<string, string>): boolean =>
  Object.entries(selector).every(([key, value]) => labels[key] === value)
