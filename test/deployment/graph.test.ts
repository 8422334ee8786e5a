import { assert, describe, it } from "@effect/vitest"
import * as Deployment from "../../src/Deployment.ts"

const unit = (
  name: string,
  dependsOn: ReadonlyArray<string> = [],
  more: Partial<Deployment.UnitDescription> = {}
): Deployment.UnitDescription => ({
  name,
  service: `test/${name}`,
  methods: ["call"],
  placement: "local",
  replicas: 1,
  resources: {},
  traffic: {},
  dependsOn,
  external: [],
  environment: {},
  secrets: [],
  expose: false,
  ...more
})

const pipeline: Deployment.DeploymentDescription = {
  name: "pipe",
  units: [
    unit("store", [], { url: "http://store:80" }),
    unit("detector", ["store"], {
      resources: { cpu: 0.5, memory: "512 MiB", gpu: 1, gpuType: "L4" },
      placement: "threads"
    }),
    unit("reader", ["store"], {
      replicas: 2,
      external: ["other/Spelling"],
      resources: { replicas: { min: 1, max: 3 } }
    }),
    unit("ocr", ["detector", "reader"], { expose: true })
  ]
}

describe("the graph of a deployment", () => {
  it("is a Mermaid flow chart", () => {
    assert.strictEqual(
      Deployment.toMermaid(pipeline),
      [
        "flowchart TD",
        "  0[\"store<br/>test/store<br/>http://store:80\"]",
        "  1[\"detector<br/>test/detector<br/>1 replica\"]",
        "  2[\"reader<br/>test/reader<br/>1 to 3 replicas\"]",
        "  3([\"ocr<br/>test/ocr<br/>1 replica\"])",
        "  4{{\"other/Spelling<br/>elsewhere\"}}",
        "  1 --> 0",
        "  2 --> 0",
        "  2 --> 4",
        "  3 --> 1",
        "  3 --> 2"
      ].join("\n")
    )
  })

  it("is a DOT file", () => {
    const dot = Deployment.toDot(pipeline)
    assert.include(dot, "digraph \"pipe\" {")
    assert.include(dot, "\"3\" -> \"1\"")
  })

  it("is plain data, with services outside of it", () => {
    const data = Deployment.toData(pipeline)
    assert.deepStrictEqual(data.nodes.map(({ kind, name }) => `${kind} ${name}`), [
      "unit store",
      "unit detector",
      "unit reader",
      "unit ocr",
      "external other/Spelling"
    ])
    assert.deepStrictEqual(data.edges.map(({ from, to }) => `${from} ${to}`), [
      "detector store",
      "reader store",
      "reader other/Spelling",
      "ocr detector",
      "ocr reader"
    ])
    assert.deepStrictEqual(JSON.parse(JSON.stringify(data)), data)
  })

  it("is a drawing that says what is drawn above already", () => {
    assert.strictEqual(
      Deployment.draw(pipeline, { width: 100 }),
      [
        "ocr                     test/ocr, 1 replica, exposed",
        "├─> detector            test/detector, 1 replica, in threads, cpu 0.5, 512 MiB, 1 L4",
        "│   └─> store           test/store, at http://store:80",
        "└─> reader              test/reader, 1 to 3 replicas",
        "    ├─> store           see above",
        "    └─> other/Spelling  elsewhere"
      ].join("\n")
    )
  })

  it("is drawn no wider than it may be", () => {
    for (const width of [20, 40, 60]) {
      for (const line of Deployment.draw(pipeline, { width }).split("\n")) assert.isAtMost(line.length, width)
    }
    assert.include(Deployment.draw(pipeline, { width: 40 }), "…")
  })

  it("can be drawn where units need each other, and where there are none", () => {
    const circle = { name: "circle", units: [unit("a", ["b"]), unit("b", ["a"]), unit("self", ["self"])] }
    assert.deepStrictEqual(
      Deployment.draw(circle).split("\n").map((line) => line.trimEnd().split("  test")[0]?.trimEnd()),
      [
        "self",
        "└─> self   see above",
        "a",
        "└─> b",
        "    └─> a  see above"
      ]
    )
    assert.strictEqual(Deployment.draw({ name: "none", units: [] }), "")
  })

  it("starts in stages, each after those that it needs", () => {
    assert.deepStrictEqual(Deployment.stages(pipeline.units), [["store"], ["detector", "reader"], ["ocr"]])
    const long = [unit("a", ["b", "d"]), unit("b", ["c"]), unit("c"), unit("d")]
    assert.deepStrictEqual(Deployment.stages(long), [["c", "d"], ["b"], ["a"]])
    assert.deepStrictEqual(Deployment.stages([]), [])
  })
})

describe("the plan of a deployment", () => {
  const gpus = [{ index: 3, name: "NVIDIA L4", memory: 2 ** 34 }]

  it("sums what its units take and holds it against the machine", () => {
    const plan = Deployment.plan(pipeline, { cpu: 4, memory: 2 ** 33, gpus })
    assert.deepStrictEqual(plan.units.map(({ gpus, name, placement, replicas }) => [name, placement, replicas, gpus]), [
      ["store", "elsewhere", 0, []],
      ["detector", "threads", 1, [[3]]],
      ["reader", "local", 3, [[], [], []]],
      ["ocr", "local", 1, [[]]]
    ])
    assert.deepStrictEqual(plan.taken, { cpu: 0.5, memory: 2 ** 29, gpu: 1 })
    assert.deepStrictEqual(plan.machine, { cpu: 4, memory: 2 ** 33, gpu: 1 })
    assert.deepStrictEqual(plan.short, [])
    assert.strictEqual(
      Deployment.drawPlan(plan),
      [
        "unit      placement  replicas  cpu   memory  gpu  where",
        "store     elsewhere                               http://store:80",
        "detector  threads           1  0.5  512 MiB    1  3",
        "reader    local             3    0      0 B    0",
        "ocr       local             1    0      0 B    0",
        "in all                         0.5  512 MiB    1",
        "machine                          4    8 GiB    1"
      ].join("\n")
    )
  })

  it("says what there is too little of, and what is asked for at least", () => {
    const plan = Deployment.plan(pipeline, { cpu: 0.25, memory: 2 ** 33, gpus: [] })
    assert.deepStrictEqual(plan.short, ["cpu", "gpu L4"])
    assert.deepStrictEqual(plan.units.map(({ replicas }) => replicas), [0, 1, 1, 1])
    assert.isTrue(Deployment.drawPlan(plan).endsWith("\nThere is not enough cpu and gpu L4."))
    assert.deepStrictEqual(Deployment.plan(pipeline, { cpu: 1, memory: 2 ** 33, gpus: [] }).short, ["gpu L4"])
  })

  it("counts the replicas of a unit", () => {
    const three = { name: "three", units: [unit("a", [], { replicas: 3, resources: { cpu: 0.1, memory: "1 GiB" } })] }
    const plan = Deployment.plan(three, { cpu: 0.3, memory: 3 * 2 ** 30, gpus: [] })
    assert.deepStrictEqual(plan.taken, { cpu: 0.3, memory: 3 * 2 ** 30, gpu: 0 })
    assert.deepStrictEqual(plan.short, [])
    assert.deepStrictEqual(Deployment.plan(three, { cpu: 0.3, memory: 2 ** 30, gpus: [] }).short, ["memory"])
  })
})
