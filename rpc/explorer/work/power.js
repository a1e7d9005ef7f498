// Whether the machine is plugged in. Browsers that do not tell are taken as plugged in, unless a finger is the main pointer:
// phones and tablets mostly are not.

export class Power {
  // `onChange` is called when the answer changes.
  constructor(onChange) {
    this.isPlugged = !matchMedia("(pointer: coarse)").matches;
    this.why = "this looks like a phone or a tablet, which may be on battery";
    navigator.getBattery?.().then((battery) => {
      const look = () => {
        this.isPlugged = battery.charging;
        this.why = "the machine is on battery";
        onChange();
      };
      battery.addEventListener("chargingchange", look);
      look();
    }, () => {});
  }
}
