/** The file for docker compose, by what compose makes of it. */
import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import type { UnitDescription } from "../../../src/deployment/Description.ts"
import * as Generate from "../../../src/deployment/generate/Generate.ts"
import * as Discovery from "../../../src/Discovery.ts"
import { anyDeployment, ocr, texts, unit } from "./descriptions.ts"
import { objectsOf, type Value } from "./objects.ts"

const fileOf = (...parameters: Parameters<typeof Generate.compose>): Value =>
  objectsOf(Generate.compose(...parameters))[0]

const single = (more: Partial<UnitDescription>, options: Generate.ComposeOptions = {}): Value =>
  fileOf({ name: "one", units: [unit("reader", "a/Reader", more)] }, options).services.reader

const cases = [ocr, ...Array.from({ length: 60 }, (_, seed) => anyDeployment(seed))].map((description, index) => ({
  description,
  here: description.units.filter(({ url }) => url === undefined),
  file: fileOf(description, { lookup: index % 2 === 0, hostPort: 8000 })
}))

/** What compose makes of a text: a variable in place of `${NAME:?message}`, and one dollar in place of two. */
const interpolated = (text: string, variables: Record<string, string>): string =>
  text.replace(/\$(\$|\{(\w+):\?[^}]*\}|)/g, (_, form: string, name: string) => {
    if (form === "$") return "$"
    const value = variables[name]
    if (value === undefined) throw new RangeError(`${form} is not set`)
    return value
  })

describe("compose.yaml", () => {
  it("has a service for each unit that runs here, started when those that it depends on are ready", () => {
    for (const { file, here } of cases) {
      assert.deepStrictEqual(Object.keys(file.services), here.map(({ name }) => name))
      for (const { dependsOn, name, replicas } of here) {
        const { depends_on: waits = {}, deploy, healthcheck } = file.services[name]
        const expected = here.filter(({ name }) => dependsOn.includes(name)).map(({ name }) => name)
        assert.deepStrictEqual(Object.keys(waits).toSorted(), expected.toSorted())
        for (const { condition } of Object.values<Value>(waits)) assert.strictEqual(condition, "service_healthy")
        assert.strictEqual(deploy.replicas, replicas)
        assert.include(healthcheck.test.at(-1), ":3000/readyz")
      }
    }
  })

  it("gives each caller the address of what it calls, under the name that it reads first", () => {
    for (const { description, file, here } of cases) {
      for (const { dependsOn, name } of here) {
        const environment: Record<string, string> = file.services[name].environment ?? {}
        for (const other of description.units.filter(({ name }) => dependsOn.includes(name))) {
          const found = Discovery.variables({ key: other.service } as Value).find((name) => name in environment) ?? ""
          const address = environment[found] ?? ""
          if (other.url !== undefined) {
            assert.strictEqual(address, other.url)
            continue
          }
          const parts = Result.getOrThrow(Discovery.parse(address)) as Value
          assert.deepStrictEqual([parts.host, parts.port], [other.name, 3000])
          assert.include(file.services[other.name].command, String(parts.port))
        }
      }
    }
  })

  it("has no two replicas on one port of the machine, and none that others reach", () => {
    for (const { file, here } of cases) {
      const taken = new Set<number>()
      for (const { expose, name, replicas } of here) {
        const { ports = [] } = file.services[name]
        assert.strictEqual(ports.length, expose ? 1 : 0)
        for (const published of ports as ReadonlyArray<string>) {
          const [, first, last = first, inside] = /^127\.0\.0\.1:(\d+)(?:-(\d+))?:(\d+)$/.exec(published) ?? []
          assert.strictEqual(inside, "3000")
          assert.strictEqual(Number(last) - Number(first) + 1, replicas)
          for (let port = Number(first); port <= Number(last); port++) {
            assert.isFalse(taken.has(port), published)
            taken.add(port)
          }
        }
      }
    }
  })

  it("is the same for the same description, in whichever order its records are", () => {
    const environment = { B: "1", A: undefined, C: "2" }
    const more = { environment, secrets: ["E", "D"] }
    const other = { environment: { C: "2", A: undefined, B: "1" }, secrets: ["D", "E"] }
    const written = [more, other].map((more) =>
      Generate.compose({ name: "one", units: [unit("reader", "a/Reader", more)] })
    )
    assert.deepStrictEqual(written[0], written[1])
  })

  it("has every text of its environment as it is", () => {
    const environment = Object.fromEntries(texts.map((text, index) => [`VALUE_${index}`, text]))
    const written: Record<string, string> = single({ environment }).environment
    for (const [name, text] of Object.entries(environment)) {
      assert.strictEqual(interpolated(written[name] ?? "-", {}), text)
    }
  })

  it("takes what it does not know from the environment, and starts nothing without it", () => {
    const { environment } = single({ environment: { BUCKET: undefined }, secrets: ["TOKEN"], external: ["b/}$Other"] })
    for (const name of ["BUCKET", "TOKEN", "OTHER_URL"]) {
      assert.strictEqual(interpolated(environment[name], { [name]: "given" }), "given")
      assert.throws(() => interpolated(environment[name], {}))
    }
  })

  it("limits memory and whole cores, and reserves GPUs", () => {
    assert.deepStrictEqual(single({ resources: { cpu: 1.5, memory: "512 MiB", gpu: 2 } }).deploy.resources, {
      limits: { cpus: "2", memory: "512M" },
      reservations: { devices: [{ driver: "nvidia", count: 2, capabilities: ["gpu"] }] }
    })
    assert.deepStrictEqual(single({}).deploy, { replicas: 1 })
  })

  it("builds the image only where nothing names one", () => {
    assert.deepInclude(single({}), { image: "one:latest", build: "." })
    assert.notProperty(single({}, { image: "a:1" }), "build")
    assert.deepInclude(single({ image: "b:1" }, { image: "a:1" }), { image: "b:1" })
  })
})
