/** What is generated for a known deployment, to the letter; `GOLDEN=write` writes the files anew. */
import { assert, describe, it } from "@effect/vitest"
import { existsSync, globSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import * as Generate from "../../../src/deployment/generate/Generate.ts"
import { ocr } from "./descriptions.ts"

const folder = fileURLToPath(new URL("golden/", import.meta.url))

/** With another ending, tools that look for such files in a project leave these alone. */
const nameOf = (path: string) => `${path.replace(/^[.]/, "dot")}.golden`

const files = [
  ...Generate.kubernetes(ocr, { image: "registry.example.com/ocr:1.2.0", lookup: true }),
  ...Generate.kserve(ocr, { hostnames: ["ocr.example.com"], telemetry: "http://collector.monitoring:4318" }),
  ...Generate.compose(ocr),
  ...Generate.dockerfile(ocr)
]

describe("what is generated for a known deployment", () => {
  for (const { content, path } of files) {
    it(`is as it was in ${path}`, () => {
      const golden = join(folder, nameOf(path))
      if (process.env["GOLDEN"] === "write") {
        mkdirSync(dirname(golden), { recursive: true })
        writeFileSync(golden, content)
      }
      assert.isTrue(existsSync(golden), `${golden} is there`)
      assert.strictEqual(content, readFileSync(golden, "utf8"))
    })
  }

  it("has no file more and none less", () => {
    const found = globSync("**/*.golden", { cwd: folder }).map((name) => name.replaceAll("\\", "/"))
    assert.deepStrictEqual(found.toSorted(), files.map(({ path }) => nameOf(path)).toSorted())
  })
})
