/**
 * Imports every entry of the installed package. `.ci/run` runs it in a project that has only the package and its peers.
 */
import assert from "node:assert/strict"
import { createRequire } from "node:module"

const manifest = createRequire(import.meta.url)("chorale/package.json")
const entries = Object.keys(manifest.exports).filter((entry) => entry !== "./package.json")

for (const entry of entries) {
  const name = manifest.name + entry.slice(1)
  const exported = Object.keys(await import(name))
  assert.notEqual(exported.length, 0, `${name} exports nothing`)
  process.stdout.write(`${name}: ${exported.join(", ")}\n`)
}
