/**
 * Adds to package-lock.json the binaries of other platforms that npm could not find in its registry.
 *
 * npm leaves them out without a word, and `npm ci` then refuses the file everywhere. Run it after `npm install` when a
 * dependency that brings a binary for each platform is new or has another version.
 */
import { readFileSync, writeFileSync } from "node:fs"

const systems = ["android", "darwin", "freebsd", "linux", "openharmony", "win32"]
const processors = ["arm", "arm64", "ia32", "loong64", "ppc64", "riscv64", "s390x", "x64"]

const libc = (words) => {
  if (words.some((word) => word.startsWith("musl"))) return { libc: ["musl"] }
  return words.some((word) => word.startsWith("gnu") || word === "glibc") ? { libc: ["glibc"] } : {}
}

const file = new URL("../package-lock.json", import.meta.url)
const lock = JSON.parse(readFileSync(file, "utf8"))
const missing = Object.values(lock.packages).flatMap((owner) =>
  Object.entries(owner.optionalDependencies ?? {})
    .filter(([name]) => lock.packages[`node_modules/${name}`] === undefined)
    .map(([name, version]) => ({ name, owner, version }))
)

for (const { name, owner, version } of missing) {
  const words = name.split(/[/-]/)
  const os = systems.filter((system) => words.includes(system))
  const cpu = processors.filter((processor) => words.includes(processor))
  if (os.length === 0 || cpu.length === 0 || !/^[\d.]+$/.test(version)) throw new Error(`which platform has ${name}?`)
  const { dev, engines, license } = owner
  lock.packages[`node_modules/${name}`] = { version, cpu, dev, ...libc(words), license, optional: true, os, engines }
}

lock.packages = Object.fromEntries(Object.entries(lock.packages).toSorted(([a], [b]) => a.localeCompare(b, "en")))
writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`)
process.stdout.write(`added ${missing.length}\n`)
