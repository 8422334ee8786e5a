import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { readFileSync } from "node:fs"
import * as Deployment from "../../src/Deployment.ts"
import { random } from "../fixtures/random.ts"

const complaintsOf = (text: string, options?: Deployment.FileOptions): ReadonlyArray<string> => {
  const result = Deployment.parseConfiguration(text, options)
  return Result.isSuccess(result)
    ? []
    : result.failure.problems.map(({ advice, column, detail, line, path }) =>
      `${line}:${column} ${path}: ${detail}. ${advice}`
    )
}

const parse = (text: string, options?: Deployment.FileOptions) =>
  Result.getOrThrow(Deployment.parseConfiguration(text, options)).units

describe("parseConfiguration", () => {
  it("reads all that a unit may have", () => {
    const unit = {
      replicas: 2,
      placement: "processes" as const,
      resources: { cpu: 0.5, memory: "1.5 GiB", gpu: 1, gpu_type: "L4" },
      traffic: { concurrency: 4, queue: 0, timeout: "500 millis" },
      env: { PORT: 8080, DEBUG: true, NAME: "a", FROM_OUTSIDE: null },
      secrets: ["TOKEN"],
      url: "http://host:1",
      instance_type: "gpu.large",
      image: "registry/image:1",
      scaling: {
        min_replicas: 1,
        max_replicas: 4,
        target: { queue: 2 },
        scale_up_window: "0 seconds",
        scale_down_window: "5 minutes"
      }
    }
    assert.deepStrictEqual(parse(JSON.stringify({ units: { reader: unit } })), { reader: unit })
  })

  it("takes an empty file for one that changes nothing", () => {
    for (const text of ["", "# nothing\n", "{}", "units: {}", "units:\n  reader: {}"]) {
      assert.deepStrictEqual(complaintsOf(text), [], text)
    }
  })

  it("says of an unknown key where it is and which was meant", () => {
    assert.deepStrictEqual(complaintsOf("units:\n  reader:\n    replica: 2\n"), [
      "3:5 units.reader.replica: there is no such key. Did you mean replicas?"
    ])
    assert.deepStrictEqual(complaintsOf("unit:\n  a: {}\n"), ["1:1 unit: there is no such key. Did you mean units?"])
    const spelt = "units: { reader: { scaling: { minReplicas: 1, maxreplicas: 2, target: { concurency: 1 } } } }"
    assert.deepStrictEqual(complaintsOf(spelt).map((line) => line.replace(/^.*such key\. /, "")), [
      "Did you mean min_replicas?",
      "Did you mean max_replicas?",
      "Did you mean concurrency?"
    ])
    assert.deepStrictEqual(complaintsOf("units: { reader: { scaling: { target: { xyzzy: 1 } } } }"), [
      "1:41 units.reader.scaling.target.xyzzy: there is no such key. There are concurrency, cpu, queue."
    ])
  })

  it("takes two letters that changed places for one mistake, and does not guess at what is far away", () => {
    assert.match(complaintsOf("units: { a: { rpelicsa: 1 } }").join(), /Did you mean replicas\?/)
    assert.match(complaintsOf("units: { a: { rpeaclsi: 1 } }").join(), /There are replicas, placement/)
  })

  it("says of a value what it takes, and which unit was meant", () => {
    const adviceOf = (unit: string) =>
      complaintsOf(`units: { reader: ${unit} }`).map((line) => line.replace(/^\S+ /, ""))
    assert.deepStrictEqual(adviceOf(`{ replicas: "two" }`), [
      "units.reader.replicas: \"two\" does not fit. It takes a whole number of at least 1."
    ])
    assert.deepStrictEqual(adviceOf(`{ replicas: 0 }`), [
      "units.reader.replicas: 0 does not fit. It takes a whole number of at least 1."
    ])
    assert.deepStrictEqual(adviceOf(`{ placement: thread }`), [
      "units.reader.placement: \"thread\" does not fit. Did you mean threads? It takes local, threads or processes."
    ])
    assert.deepStrictEqual(adviceOf(`{ resources: { memory: 512Mi } }`), [
      "units.reader.resources.memory: \"512Mi\" does not fit. Did you mean 512 MiB? It takes a size such as 512 MiB or 1.5 GiB, with its unit."
    ])
    assert.deepStrictEqual(adviceOf(`{ resources: { memory: 512 } }`), [
      "units.reader.resources.memory: 512 does not fit. It takes a size such as 512 MiB or 1.5 GiB, with its unit."
    ])
    const times = {
      "2s": "2 seconds",
      "500ms": "500 millis",
      "1.5 sec": "1.5 seconds",
      "3m": "3 minutes",
      "1h": "1 hours"
    }
    for (const [wrong, right] of Object.entries(times)) {
      assert.deepStrictEqual(adviceOf(`{ traffic: { timeout: ${wrong} } }`), [
        `units.reader.traffic.timeout: "${wrong}" does not fit. Did you mean ${right}? It takes a time such as 2 seconds or 500 millis, with its unit.`
      ])
    }
    assert.deepStrictEqual(adviceOf(`{ env: { KEY: [1] } }`), [
      "units.reader.env.KEY: [1] does not fit. It takes a text, a number, true or false, or nothing where the environment has it."
    ])
  })

  it("says what is expected of a list, a map and an empty value", () => {
    assert.deepStrictEqual(complaintsOf("units:\n  reader:\n    traffic:\n    secrets: TOKEN\n  ocr: 3\n"), [
      "3:5 units.reader.traffic: it is empty. It takes the keys concurrency, queue, timeout.",
      "4:14 units.reader.secrets: \"TOKEN\" does not fit. It takes a list.",
      "5:8 units.ocr: 3 does not fit. It takes the keys replicas, placement, resources, traffic, env, secrets, url, instance_type, image, scaling."
    ])
    assert.deepStrictEqual(complaintsOf("- a\n"), [
      "1:1 the file: [\"a\"] does not fit. It takes the keys units, profiles."
    ])
    assert.deepStrictEqual(complaintsOf("units:\n  reader:\n    secrets:\n      - A\n      - 3\n"), [
      "5:9 units.reader.secrets.1: 3 does not fit. It takes a text."
    ])
  })

  it("says where the YAML is broken, with keys that are there twice", () => {
    assert.match(complaintsOf("units:\n  reader: {\n")[0] ?? "", /^\d+:\d+ yaml: /)
    assert.match(complaintsOf("units:\n  a: {}\n  a: {}\n")[0] ?? "", /^3:3 yaml: Map keys must be unique/)
  })

  it("bounds what aliases can grow to", () => {
    const levels = Array.from({ length: 12 }, (_, level) => {
      const aliases = Array.from({ length: 9 }, () => `*a${level - 1}`).join(", ")
      return `a${level}: &a${level} [${level === 0 ? "x" : aliases}]`
    })
    assert.match(complaintsOf(levels.join("\n"))[0] ?? "", /^1:1 yaml: ReferenceError: Excessive alias count/)
  })

  it("finds what an alias stands for", () => {
    const text = "units:\n  reader: &all\n    replicas: x\n  other: *all\n"
    assert.deepStrictEqual(complaintsOf(text).map((line) => line.split(":").slice(0, 2).join(":")), [
      "3:15 units.reader.replicas",
      "3:15 units.other.replicas"
    ])
  })

  it("refuses units and profiles that are not there, where it knows them", () => {
    const text = "units:\n  raeder: {}\nprofiles:\n  production:\n    units:\n      orc: {}\n"
    assert.deepStrictEqual(complaintsOf(text), [])
    assert.deepStrictEqual(complaintsOf(text, { units: ["reader", "ocr"], profile: "prod" }), [
      "2:3 units.raeder: the deployment has no such unit. Did you mean reader?",
      "3:1 profiles.prod: there is no such profile. There are production.",
      "6:7 profiles.production.units.orc: the deployment has no such unit. Did you mean ocr?"
    ])
    assert.deepStrictEqual(complaintsOf("{}", { profile: "x" }), [
      "1:1 profiles.x: there is no such profile. The file has no profiles: choose none, or add it."
    ])
  })

  it("puts the chosen profile over the rest", () => {
    const text = `
units:
  reader:
    replicas: 1
    resources: { cpu: 1, memory: 1 GiB }
    scaling: { max_replicas: 2, target: { cpu: 50 } }
    secrets: [A]
profiles:
  production:
    units:
      reader: { resources: { cpu: 2 }, scaling: { target: { queue: 1 } }, secrets: [B] }
      ocr: { replicas: 3 }
`
    assert.deepStrictEqual(parse(text, { profile: "production" }), {
      reader: {
        replicas: 1,
        resources: { cpu: 2, memory: "1 GiB" },
        scaling: { max_replicas: 2, target: { queue: 1 } },
        secrets: ["B"]
      },
      ocr: { replicas: 3 }
    })
    assert.deepStrictEqual(Object.keys(parse(text)), ["reader"])
  })

  it("names in its message the file, the line and the column of every problem", () => {
    const result = Deployment.parseConfiguration("units:\n  a:\n    replicas: x\n    imag: y\n", { file: "my.yaml" })
    assert.isTrue(Result.isFailure(result))
    assert.strictEqual(
      Result.isFailure(result) ? result.failure.message : "",
      [
        "my.yaml has 2 problems:",
        "  my.yaml:3:15 units.a.replicas: \"x\" does not fit. It takes a whole number of at least 1.",
        "  my.yaml:4:5 units.a.imag: there is no such key. Did you mean image?"
      ].join("\n")
    )
  })

  it("is right about the lines and columns of what is wrong in any file", () => {
    for (let seed = 1; seed <= 500; seed++) {
      const file = generate(random(seed))
      assert.deepStrictEqual(
        complaintsOf(file.text).map((line) => line.split(": ", 1)[0]),
        file.wrong,
        `seed ${seed}\n${file.text}`
      )
    }
  })
})

const fields: ReadonlyArray<readonly [key: string, value: string, wrong: string, isMap?: boolean]> = [
  ["replicas", "2", "two"],
  ["placement", "threads", "thread"],
  ["image", "registry/image:1", "[]"],
  ["url", "\"http://host:1\"", "{}"],
  ["instance_type", "large", "false"]
]

const nested: Readonly<Record<string, typeof fields>> = {
  resources: [["cpu", "0.5", "-1"], ["memory", "512 MiB", "512"], ["gpu", "1", "0.5"]],
  traffic: [["concurrency", "4", "0"], ["timeout", "2 seconds", "2s"]],
  scaling: [["min_replicas", "1", "none"], ["scale_up_window", "1 minute", "soon"]]
}

/** A file of units in the block style, some of whose keys and values are wrong, and where those are. */
const generate = (next: () => number) => {
  const lines: Array<string> = []
  const wrong: Array<string> = []
  const chance = (of: number) => next() < of
  const pad = () => {
    if (chance(0.2)) lines.push("")
    if (chance(0.2)) lines.push("# ä comment: with { signs }")
  }
  const field = (indent: number, path: string, [key, value, bad]: (typeof fields)[number]) => {
    pad()
    const gap = " ".repeat(1 + Math.floor(next() * 3))
    const spaces = " ".repeat(indent)
    const isWrongKey = chance(0.1)
    const isWrongValue = !isWrongKey && chance(0.1)
    const name = isWrongKey ? `${key}z` : chance(0.2) ? `"${key}"` : key
    lines.push(`${spaces}${name}:${gap}${isWrongValue ? bad : value}${chance(0.2) ? " # why" : ""}`)
    if (isWrongKey) wrong.push(`${lines.length}:${indent + 1} ${path}.${name}`)
    if (isWrongValue) wrong.push(`${lines.length}:${indent + name.length + 1 + gap.length + 1} ${path}.${key}`)
  }
  lines.push("units:")
  const count = 1 + Math.floor(next() * 3)
  for (let unit = 0; unit < count; unit++) {
    pad()
    lines.push(`  unit-${unit}:`)
    const path = `units.unit-${unit}`
    field(4, path, ["replicas", "2", "0"])
    for (const each of fields.slice(1)) if (chance(0.6)) field(4, path, each)
    for (const [key, below] of Object.entries(nested)) {
      if (chance(0.5)) continue
      lines.push(`    ${key}:`)
      for (const each of below) field(6, `${path}.${key}`, each)
    }
  }
  return { text: `${lines.join(chance(0.3) ? "\r\n" : "\n")}\n`, wrong }
}

describe("applyConfiguration", () => {
  const unit = {
    name: "reader",
    service: "test/Reader",
    methods: ["read"],
    placement: "local",
    replicas: 1,
    resources: { cpu: 1, memory: "1 GiB", replicas: { min: 1, max: 4 } },
    traffic: { concurrency: 2, queue: 4 },
    dependsOn: [],
    external: [],
    environment: { A: "a", B: "b" },
    secrets: [],
    expose: false
  } satisfies Deployment.UnitDescription
  const before: Deployment.DeploymentDescription = { name: "test", units: [unit] }
  const apply = (reader: Deployment.UnitConfiguration) =>
    Deployment.applyConfiguration(before, { units: { reader } }).units[0]

  it("changes what is named and nothing else", () => {
    assert.deepStrictEqual(apply({}), unit)
    assert.deepStrictEqual(apply({ resources: { gpu: 1, gpu_type: "L4", memory: "2GiB" } }), {
      ...unit,
      resources: { ...unit.resources, memory: "2GiB", gpu: 1, gpuType: "L4" }
    })
    assert.deepStrictEqual(apply({ traffic: { queue: 8, timeout: "2seconds" }, env: { B: null, C: 3 } }), {
      ...unit,
      traffic: { concurrency: 2, queue: 8, timeout: 2000 },
      environment: { A: "a", B: undefined, C: "3" }
    })
    assert.deepStrictEqual(apply({ url: "http://a:1", image: "i", instance_type: "t", placement: "threads" }), {
      ...unit,
      url: "http://a:1",
      image: "i",
      instanceType: "t",
      placement: "threads"
    })
  })

  it("has a number of replicas in place of a range", () => {
    assert.deepStrictEqual(apply({ replicas: 2 }), {
      ...unit,
      replicas: 2,
      resources: { cpu: 1, memory: "1 GiB" }
    })
  })

  it("scales with the windows of Kubernetes unless told otherwise, and begins within the range", () => {
    assert.deepStrictEqual(apply({ scaling: { min_replicas: 2, max_replicas: 5, target: { cpu: 70 } } }), {
      ...unit,
      replicas: 2,
      scaling: { minReplicas: 2, maxReplicas: 5, target: { cpu: 70 }, scaleUpWindow: 0, scaleDownWindow: 300_000 }
    })
  })

  it("tells what can change while it runs from what needs a restart", () => {
    const after = {
      name: "test",
      units: [
        { ...unit, replicas: 2, traffic: { concurrency: 2, queue: 5 }, environment: { A: "a" }, image: "new" },
        { ...unit, name: "other" }
      ]
    }
    assert.deepStrictEqual(Deployment.differences(before, after), {
      live: [{ unit: "reader", key: "replicas" }, { unit: "reader", key: "traffic" }],
      restart: [{ unit: "reader", key: "environment" }, { unit: "reader", key: "image" }],
      added: ["other"],
      removed: []
    })
    assert.deepStrictEqual(Deployment.differences(after, before).removed, ["other"])
    const same = Deployment.differences(before, structuredClone(before))
    assert.deepStrictEqual(same, { live: [], restart: [], added: [], removed: [] })
  })
})

describe("jsonSchema", () => {
  it("has the keys that the parser takes, and refuses others", () => {
    const schema = JSON.parse(JSON.stringify(Deployment.jsonSchema()))
    assert.strictEqual(schema.additionalProperties, false)
    const unit = schema.properties.units.additionalProperties
    assert.strictEqual(unit.additionalProperties, false)
    assert.sameMembers(Object.keys(unit.properties), [
      "replicas",
      "placement",
      "resources",
      "traffic",
      "env",
      "secrets",
      "url",
      "instance_type",
      "image",
      "scaling"
    ])
    assert.deepInclude(unit.properties.replicas, { type: "integer", minimum: 1 })
    assert.deepStrictEqual(unit.properties.placement.enum, ["local", "threads", "processes"])
    assert.include(unit.properties.resources.properties.memory.description, "512 MiB")
    assert.sameMembers(Object.keys(unit.properties.scaling.properties.target.properties), [
      "concurrency",
      "cpu",
      "queue"
    ])
  })

  it("fits the example", () => {
    const text = readFileSync(new URL("../../examples/ocr/chorale.yaml", import.meta.url), "utf8")
    for (const profile of ["processes", "production"]) {
      assert.deepStrictEqual(
        complaintsOf(text, { profile, units: ["detector", "classifier", "recognizer", "ocr"] }),
        []
      )
    }
  })
})
