/**
 * Compiles the examples in the doc comments of src/, each as a program of its own.
 */
import { assert, describe, it } from "@effect/vitest"
import { spawnSync } from "node:child_process"
import { globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("../../", import.meta.url))
const compiler = fileURLToPath(new URL("./bin/tsc", import.meta.resolve("typescript/package.json")))

const strict = {
  extends: "../../tsconfig.json",
  compilerOptions: { noUnusedLocals: false },
  include: ["*.ts"],
  exclude: []
}

/** The code of each example in a source file, without the stars of the comment. */
const examplesOf = (source: string): ReadonlyArray<string> =>
  Array.from(source.matchAll(/^ *\* ```ts\n([\s\S]*?)^ *\* ```$/gm), ([, code = ""]) => code.replace(/^ *\* ?/gm, ""))

const compile = (examples: ReadonlyMap<string, string>): string => {
  // A program finds the package by its name only from a folder of the package.
  mkdirSync(join(root, "coverage"), { recursive: true })
  const folder = mkdtempSync(join(root, "coverage", "examples-"))
  try {
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(strict))
    for (const [name, code] of examples) writeFileSync(join(folder, name), code)
    const { stderr, stdout } = spawnSync(process.execPath, [compiler, "--project", folder, "--pretty", "false"], {
      cwd: folder,
      encoding: "utf8",
      timeout: 60_000
    })
    return stdout + stderr
  } finally {
    rmSync(folder, { recursive: true })
  }
}

describe("an example in a doc comment", () => {
  const examples = new Map<string, string>()
  for (const file of globSync("src/**/*.ts", { cwd: root }).toSorted()) {
    examplesOf(readFileSync(join(root, file), "utf8")).forEach((code, index) => {
      examples.set(`${file.replaceAll(/[/\\.]/g, "-")}-${index + 1}.ts`, code)
    })
  }

  it("is found in the doc comments", () => {
    assert.isAbove(examples.size, 5)
  })

  it("compiles as it stands", () => {
    assert.strictEqual(compile(examples), "")
  })

  it("is noticed when it does not compile", () => {
    assert.include(compile(new Map([["wrong.ts", "import { Nothing } from \"chorale\"\n"]])), "has no exported member")
  })
})
