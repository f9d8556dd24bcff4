package elements

import "github.com/shopspring/decimal"

// Element is a chemical element.
type Element struct {
	Number int             `json:"number" example:"26"`
	Symbol string          `json:"symbol" example:"Fe"`
	Name   string          `json:"name" example:"Iron"`
	Weight decimal.Decimal `json:"weight" swaggertype:"string" example:"55.845"` // standard atomic weight; of the longest-lived isotope where there is none
	Group  int             `json:"group" example:"8"`                            // 1 to 18; 0 for lanthanides and actinides
	Period int             `json:"period" example:"4"`
}

// table is the periodic table: symbol, name, abridged standard atomic weight
// (IUPAC), group, period.
const table = `H Hydrogen 1.008 1 1
He Helium 4.0026 18 1
Li Lithium 6.94 1 2
Be Beryllium 9.0122 2 2
B Boron 10.81 13 2
C Carbon 12.011 14 2
N Nitrogen 14.007 15 2
O Oxygen 15.999 16 2
F Fluorine 18.998 17 2
Ne Neon 20.180 18 2
Na Sodium 22.990 1 3
Mg Magnesium 24.305 2 3
Al Aluminium 26.982 13 3
Si Silicon 28.085 14 3
P Phosphorus 30.974 15 3
S Sulfur 32.06 16 3
Cl Chlorine 35.45 17 3
Ar Argon 39.95 18 3
K Potassium 39.098 1 4
Ca Calcium 40.078 2 4
Sc Scandium 44.956 3 4
Ti Titanium 47.867 4 4
V Vanadium 50.942 5 4
Cr Chromium 51.996 6 4
Mn Manganese 54.938 7 4
Fe Iron 55.845 8 4
Co Cobalt 58.933 9 4
Ni Nickel 58.693 10 4
Cu Copper 63.546 11 4
Zn Zinc 65.38 12 4
Ga Gallium 69.723 13 4
Ge Germanium 72.630 14 4
As Arsenic 74.922 15 4
Se Selenium 78.971 16 4
Br Bromine 79.904 17 4
Kr Krypton 83.798 18 4
Rb Rubidium 85.468 1 5
Sr Strontium 87.62 2 5
Y Yttrium 88.906 3 5
Zr Zirconium 91.224 4 5
Nb Niobium 92.906 5 5
Mo Molybdenum 95.95 6 5
Tc Technetium 97 7 5
Ru Ruthenium 101.07 8 5
Rh Rhodium 102.91 9 5
Pd Palladium 106.42 10 5
Ag Silver 107.87 11 5
Cd Cadmium 112.41 12 5
In Indium 114.82 13 5
Sn Tin 118.71 14 5
Sb Antimony 121.76 15 5
Te Tellurium 127.60 16 5
I Iodine 126.90 17 5
Xe Xenon 131.29 18 5
Cs Caesium 132.91 1 6
Ba Barium 137.33 2 6
La Lanthanum 138.91 0 6
Ce Cerium 140.12 0 6
Pr Praseodymium 140.91 0 6
Nd Neodymium 144.24 0 6
Pm Promethium 145 0 6
Sm Samarium 150.36 0 6
Eu Europium 151.96 0 6
Gd Gadolinium 157.25 0 6
Tb Terbium 158.93 0 6
Dy Dysprosium 162.50 0 6
Ho Holmium 164.93 0 6
Er Erbium 167.26 0 6
Tm Thulium 168.93 0 6
Yb Ytterbium 173.05 0 6
Lu Lutetium 174.97 3 6
Hf Hafnium 178.49 4 6
Ta Tantalum 180.95 5 6
W Tungsten 183.84 6 6
Re Rhenium 186.21 7 6
Os Osmium 190.23 8 6
Ir Iridium 192.22 9 6
Pt Platinum 195.08 10 6
Au Gold 196.97 11 6
Hg Mercury 200.59 12 6
Tl Thallium 204.38 13 6
Pb Lead 207.2 14 6
Bi Bismuth 208.98 15 6
Po Polonium 209 16 6
At Astatine 210 17 6
Rn Radon 222 18 6
Fr Francium 223 1 7
Ra Radium 226 2 7
Ac Actinium 227 0 7
Th Thorium 232.04 0 7
Pa Protactinium 231.04 0 7
U Uranium 238.03 0 7
Np Neptunium 237 0 7
Pu Plutonium 244 0 7
Am Americium 243 0 7
Cm Curium 247 0 7
Bk Berkelium 247 0 7
Cf Californium 251 0 7
Es Einsteinium 252 0 7
Fm Fermium 257 0 7
Md Mendelevium 258 0 7
No Nobelium 259 0 7
Lr Lawrencium 262 3 7
Rf Rutherfordium 267 4 7
Db Dubnium 268 5 7
Sg Seaborgium 269 6 7
Bh Bohrium 270 7 7
Hs Hassium 269 8 7
Mt Meitnerium 277 9 7
Ds Darmstadtium 281 10 7
Rg Roentgenium 282 11 7
Cn Copernicium 285 12 7
Nh Nihonium 286 13 7
Fl Flerovium 290 14 7
Mc Moscovium 290 15 7
Lv Livermorium 293 16 7
Ts Tennessine 294 17 7
Og Oganesson 294 18 7`
