/** What is drawn in the pictures of this folder: invented texts, as they stand on things that people photograph. */
import { filled, gradient, paragraph, type Picture } from "./picture.ts"

const receipt = (): Picture => {
  const font = "Liberation Mono"
  const line = (y: number, left: string, right: string) => [
    { text: left, x: 40, y, size: 20, font },
    { text: right, x: 440, y, size: 20, font, anchor: "end" as const }
  ]
  const centered = (y: number, text: string, size: number) => [
    { text, x: 240, y, size, font, anchor: "middle" as const, weight: "bold" as const }
  ]
  return {
    name: "receipt",
    width: 480,
    height: 720,
    background: filled("#f4f1ea"),
    noise: 5,
    rows: [
      centered(60, "CORNER BAKERY", 32),
      centered(96, "14 Harbour Street", 20),
      line(150, "Order 20417", "09:42"),
      line(200, "2 Sourdough loaf", "9.80"),
      line(236, "1 Almond croissant", "3.25"),
      line(272, "3 Oat biscuit", "4.50"),
      line(308, "1 Flat white", "3.60"),
      line(344, "1 Orange juice", "4.10"),
      line(400, "Subtotal", "25.25"),
      line(436, "Tax 8%", "2.02"),
      line(472, "TOTAL", "27.27"),
      line(528, "Card ending 0042", "27.27"),
      centered(600, "Thank you", 24),
      centered(640, "Open every day 7 to 18", 20)
    ]
  }
}

const sign = (): Picture => {
  const style = { x: 512, size: 92, color: "#ffffff", anchor: "middle" as const, weight: "bold" as const }
  return {
    name: "sign",
    width: 1024,
    height: 640,
    background: `${filled("#8fa3ad")}<rect x="60" y="60" width="904" height="520" rx="40" fill="#0f5c3a"/>` +
      `<rect x="80" y="80" width="864" height="480" rx="28" fill="none" stroke="#ffffff" stroke-width="8"/>`,
    transform: "rotate(-2 512 320)",
    blur: 1,
    quality: 80,
    rows: [
      [{ ...style, text: "NORTH GATE", y: 210 }],
      [{ ...style, text: "Parking 250 m", y: 340 }],
      [{ ...style, text: "No entry after 22:00", y: 460, size: 60, color: "#ffe27a" }]
    ]
  }
}

const page = (): Picture => {
  const serif = { x: 150, font: "Liberation Serif" }
  const heading = { ...serif, size: 32, weight: "bold" as const }
  const body = { ...serif, size: 27, leading: 40 }
  return {
    name: "page",
    width: 1240,
    height: 1754,
    background: filled("#fdfdfb"),
    rows: [
      [{ ...heading, text: "On keeping a small weather station", y: 190, size: 40 }],
      ...paragraph([
        "A weather station does not have to be large to be useful. A thermometer in the",
        "shade, a rain gauge on a post and a notebook are enough to begin with, and a year",
        "of readings taken at the same hour tells more than a week of perfect ones.",
        "The shade matters most. A thermometer in the sun measures the sun, and one on a",
        "warm wall measures the wall. A white box with slats on all four sides, a metre and",
        "a half above grass, has been the answer since the nineteenth century, and there is",
        "still no better one at the price. Point its door to the north."
      ], { ...body, y: 270 }),
      [{ ...heading, text: "Rain", y: 600 }],
      ...paragraph([
        "The gauge should stand as far from any tree or roof as that tree or roof is high.",
        "Empty it every morning, also when it is dry, and write down a zero: an empty line",
        "in the notebook could mean no rain or no reading, and nobody will remember which.",
        "One millimetre is one litre on each square metre. A heavy summer storm brings 30",
        "or 40 of them in an hour; a wet November day seldom more than 12. Snow is melted",
        "first and then measured in the same way, so that 10 cm of fresh snow becomes",
        "about 8 mm of water."
      ], { ...body, y: 660 }),
      [{ ...heading, text: "Wind", y: 990 }],
      ...paragraph([
        "Wind is the hardest of the three, because every hedge changes it. Ten metres above",
        "open ground is the rule at airports, and hardly anyone has ten metres of mast. It is",
        "more honest to note the direction and the force as seen in the trees: leaves move,",
        "small branches move, whole trees move. The scale of 1805 still works.",
        "Whatever is measured, the hour has to stay the same. Seven in the morning is a",
        "good one, before the sun has much effect and before the day begins. In summer the",
        "clock is moved by an hour; the station should not follow it.",
        "At the end of the month, add up the rain, take the mean of the temperatures and",
        "draw both on one sheet. After three years the sheet begins to look like a climate,",
        "and after ten it is worth sending to somebody who collects such things."
      ], { ...body, y: 1050 }),
      [
        { ...serif, text: "Notes for beginners, part 2", y: 1620, size: 22 },
        { ...serif, text: "page 17", x: 1090, y: 1620, size: 22, anchor: "end" }
      ]
    ]
  }
}

const skewed = (): Picture => ({
  name: "skewed",
  width: 1000,
  height: 760,
  background: filled("#efece4"),
  transform: "rotate(9 500 380)",
  noise: 6,
  quality: 85,
  rows: [
    [{ text: "Delivery note 7731", x: 160, y: 180, size: 44, weight: "bold" }],
    ...paragraph([
      "Four boxes of glass jars, 500 ml",
      "Two boxes of lids, silver",
      "One roll of labels, 80 by 40 mm"
    ], { x: 160, y: 270, size: 34, leading: 64 }),
    [
      { text: "Weight", x: 160, y: 500, size: 34 },
      { text: "38.5 kg", x: 520, y: 500, size: 34 }
    ],
    [{ text: "Please keep dry and upright", x: 160, y: 580, size: 34, color: "#9c1f1f" }]
  ]
})

const turned = (): Picture => ({
  name: "turned",
  width: 900,
  height: 600,
  background: filled("#ffffff"),
  transform: "rotate(180 450 300)",
  quality: 90,
  rows: [
    [{ text: "SPARE PARTS", x: 450, y: 130, size: 64, anchor: "middle", weight: "bold" }],
    ...paragraph([
      "Drawer 12, left side",
      "Washers and hex bolts M6",
      "Return after use"
    ], { x: 120, y: 240, size: 42, leading: 90, font: "DejaVu Sans" })
  ]
})

const poster = (): Picture => ({
  name: "poster",
  width: 900,
  height: 1200,
  background: gradient("#2b1055", "#d53369", "#daae51") +
    `<circle cx="700" cy="900" r="180" fill="#ffffff" fill-opacity="0.25"/>`,
  quality: 85,
  rows: [
    [{ text: "Summer", x: 80, y: 200, size: 120, color: "#fff4d6", font: "DejaVu Serif", weight: "bold" }],
    [{ text: "Night Market", x: 80, y: 330, size: 96, color: "#ffd166", font: "DejaVu Serif" }],
    [{ text: "Every Friday in July", x: 80, y: 470, size: 52, color: "#ffffff" }],
    [{ text: "Food, music and lanterns", x: 80, y: 560, size: 46, color: "#c8f7ff" }],
    [{ text: "Riverside Park, Gate 3", x: 80, y: 760, size: 46, color: "#1a1a2e", weight: "bold" }],
    [{ text: "18:30 until midnight", x: 80, y: 840, size: 46, color: "#ffffff" }],
    [{ text: "Free entry", x: 80, y: 1060, size: 72, color: "#2b1055", font: "DejaVu Sans", weight: "bold" }]
  ]
})

const small = (): Picture => ({
  name: "small",
  width: 560,
  height: 360,
  background: filled("#ffffff"),
  rows: [
    [{ text: "Ingredients", x: 20, y: 36, size: 15, weight: "bold" }],
    ...paragraph([
      "Wheat flour, water, rye flour, sunflower seeds (8%), sea salt, yeast,",
      "barley malt extract. May contain traces of nuts and sesame.",
      "Store in a cool and dry place. Best before: see bottom of the pack.",
      "Once opened, use within 5 days. Not suitable for freezing."
    ], { x: 20, y: 62, size: 13, leading: 20 }),
    [{ text: "Typical values per 100 g", x: 20, y: 165, size: 13, weight: "bold" }],
    ...[
      "Energy|1046 kJ",
      "Fat|3.9 g",
      "of which saturates|0.6 g",
      "Carbohydrate|41.2 g",
      "Fibre|7.4 g",
      "Protein|8.8 g",
      "Salt|1.1 g"
    ].map((entry, index) => {
      const [label = "", value = ""] = entry.split("|")
      const y = 190 + index * 21
      return [{ text: label, x: 20, y, size: 12 }, { text: value, x: 260, y, size: 12, anchor: "end" as const }]
    })
  ]
})

const form = (): Picture => {
  const font = "DejaVu Sans"
  const label = (x: number, y: number, text: string) => ({ text, x, y, font, size: 20, color: "#4a5568" })
  const value = (x: number, y: number, text: string) => ({ text, x, y, font, size: 24, color: "#111827" })
  const field = (x: number, y: number) =>
    `<rect x="${x}" y="${y}" width="420" height="52" rx="6" fill="#ffffff" stroke="#a0aec0" stroke-width="2"/>`
  return {
    name: "form",
    width: 1100,
    height: 620,
    background: filled("#edf2f7") + field(80, 170) + field(600, 170) + field(80, 310) + field(600, 310) +
      `<rect x="80" y="460" width="240" height="64" rx="8" fill="#2b6cb0"/>`,
    rows: [
      [{ text: "Book a room", x: 80, y: 90, size: 40, font: "DejaVu Sans", weight: "bold" }],
      [label(80, 154, "Arrival"), label(600, 154, "Departure")],
      [value(96, 205, "12 March"), value(616, 205, "15 March")],
      [label(80, 294, "Guests"), label(600, 294, "Room type")],
      [value(96, 345, "2 adults"), value(616, 345, "Double, garden side")],
      [
        { text: "Continue", x: 200, y: 500, size: 26, color: "#ffffff", font: "DejaVu Sans", anchor: "middle" },
        label(360, 500, "Free cancellation until 10 March")
      ]
    ]
  }
}

const empty = (): Picture => ({
  name: "empty",
  width: 800,
  height: 600,
  background: gradient("#b7c9d9", "#e9e3d5", "#8d9c86") +
    `<ellipse cx="260" cy="430" rx="190" ry="70" fill="#6f7f5f"/><circle cx="610" cy="140" r="60" fill="#fff3c4"/>`,
  noise: 8,
  quality: 80,
  rows: []
})

const photo = (): Picture => {
  const style = { font: "DejaVu Sans", color: "#22303c" }
  return {
    name: "photo",
    width: 4000,
    height: 3000,
    background: gradient("#5b6b73", "#a8a296", "#3d4a41") +
      `<g transform="rotate(-4 2000 1500) skewX(-5)"><rect x="900" y="600" width="2500" height="1700" rx="30" ` +
      `fill="#e8e2d0"/></g>`,
    transform: "rotate(-4 2000 1500) skewX(-5)",
    noise: 6,
    blur: 1.5,
    quality: 50,
    rows: [
      [{ ...style, text: "Trail closed", x: 1100, y: 900, size: 260, color: "#a32020", weight: "bold" }],
      ...paragraph([
        "The bridge over the creek is being",
        "repaired from 3 May to 28 June.",
        "Follow the yellow marks to the dam",
        "and cross there. Allow 40 minutes more."
      ], { ...style, x: 1100, y: 1200, size: 96, leading: 190 }),
      [
        { ...style, text: "Forest office, room 6", x: 1100, y: 2120, size: 72 },
        { ...style, text: "Notice 118", x: 2700, y: 2120, size: 72 }
      ]
    ]
  }
}

/** All the pictures. */
export const pictures: ReadonlyArray<Picture> = [
  receipt(),
  sign(),
  page(),
  skewed(),
  turned(),
  poster(),
  small(),
  form(),
  empty(),
  photo()
]
