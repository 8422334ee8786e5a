import { holdToLaws } from "./holdToLaws.ts"
import { codec } from "./locations.ts"

holdToLaws("a service through the codec", codec)
