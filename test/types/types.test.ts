/**
 * Runs the compiler over the programs in `wrong/`, each of which must be refused with the message it asks for.
 *
 * A line `// error: words` says that the next line has an error whose text contains these words. Several may stand
 * above one line. An error that no line asks for is a failure too.
 */
import { assert, describe, it } from "@effect/vitest"
import { spawnSync } from "node:child_process"
import { readdirSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"

interface Diagnostic {
  readonly file: string
  readonly line: number
  readonly text: string
}

const here = new URL("./", import.meta.url)
const compiler = fileURLToPath(new URL("./bin/tsc", import.meta.resolve("typescript/package.json")))

const compile = (): ReadonlyArray<Diagnostic> => {
  const { error, stderr, stdout } = spawnSync(process.execPath, [compiler, "--project", ".", "--pretty", "false"], {
    cwd: here,
    encoding: "utf8",
    timeout: 60_000
  })
  if (error !== undefined) throw error
  return parse(stdout + stderr)
}

const parse = (output: string): ReadonlyArray<Diagnostic> =>
  output.split(/\r?\n(?=\S)/).filter((text) => text.trim() !== "").map((text) => {
    const [, file = "", line = "0"] = /^(.+?)\((\d+),\d+\): /.exec(text) ?? []
    return { file: file.replaceAll("\\", "/"), line: Number(line), text: text.trim() }
  })

const marker = /^\s*\/\/ error: (.*\S)/

const complaints = (source: string, diagnostics: ReadonlyArray<Diagnostic>): ReadonlyArray<string> => {
  const lines = source.split(/\r?\n/)
  const wanted = lines.flatMap((text, index) => {
    const words = marker.exec(text)?.[1]
    if (words === undefined) return []
    const below = lines.slice(index + 1).findIndex((next) => !marker.test(next))
    return [{ line: index + 2 + below, words }]
  })
  const meets = (diagnostic: Diagnostic, want: { readonly line: number; readonly words: string }) =>
    diagnostic.line === want.line && diagnostic.text.includes(want.words)
  const missing = wanted.filter((want) => !diagnostics.some((diagnostic) => meets(diagnostic, want)))
  const unasked = diagnostics.filter((diagnostic) => !wanted.some((want) => meets(diagnostic, want)))
  return [
    ...(wanted.length === 0 ? ["no line asks for an error"] : []),
    ...missing.map((want) => `line ${want.line} has no error with: ${want.words}`),
    ...unasked.map((diagnostic) => `line ${diagnostic.line} has an error that it does not ask for: ${diagnostic.text}`)
  ]
}

const diagnostics = compile()
const programs = readdirSync(new URL("./wrong/", here)).filter((name) => name.endsWith(".ts"))

describe("a wrong program does not compile, and the message names what is wrong", () => {
  for (const program of programs) {
    it(program, () => {
      const file = `wrong/${program}`
      const source = readFileSync(new URL(file, here), "utf8")
      assert.deepStrictEqual(complaints(source, diagnostics.filter((diagnostic) => diagnostic.file === file)), [])
    })
  }

  it("and nothing else is refused", () => {
    assert.isNotEmpty(programs)
    assert.deepStrictEqual(diagnostics.filter(({ file }) => !programs.includes(file.replace(/^wrong\//, ""))), [])
  })
})

describe("the check of a wrong program", () => {
  const source = "const a = 1\n// error: is not assignable\nconst b: string = a\n"
  const refused = { file: "wrong/a.ts", line: 3, text: "wrong/a.ts(3,7): error TS2322: number is not assignable" }

  it("passes when the marked line has the error", () => assert.deepStrictEqual(complaints(source, [refused]), []))

  it("fails when the message is another", () =>
    assert.deepStrictEqual(complaints(source, [{ ...refused, text: "other" }]), [
      "line 3 has no error with: is not assignable",
      "line 3 has an error that it does not ask for: other"
    ]))

  it("fails when the marked line compiles", () =>
    assert.deepStrictEqual(complaints(source, []), ["line 3 has no error with: is not assignable"]))

  it("fails when an unmarked line has an error", () =>
    assert.deepStrictEqual(complaints(source, [refused, { ...refused, line: 1, text: "other" }]), [
      "line 1 has an error that it does not ask for: other"
    ]))

  it("fails when no line is marked", () =>
    assert.deepStrictEqual(complaints("const a = 1\n", []), ["no line asks for an error"]))
})
