/* Drawn people, whom the detectors take for faces and who are nobody: for the tests of the page and its
 * pictures. */
import {execFileSync} from 'node:child_process';
import {copyFileSync} from 'node:fs';

const PEOPLE = [
  {skin: '#eec3a4', shade: '#c98f6e', hair: '#5b2f1d', eye: '#4b6f52', lip: '#b4574f', cloth: '#3d5a6c',
    long: true},
  {skin: '#b97a52', shade: '#83502f', hair: '#171111', eye: '#3b2417', lip: '#8c4039', cloth: '#c98a3b'},
  {skin: '#f0d0b4', shade: '#cf9f80', hair: '#c9a14e', eye: '#48708f', lip: '#c36a66', cloth: '#77514f'},
];

function eye(x, p) {
  return `<g transform="translate(${x} -14)">
    <path d="M-21 2Q-8 -13 8 -11T21 3Q6 12 -6 11T-21 2Z" fill="#f7f2ee"/>
    <circle r="9.6" fill="${p.eye}"/><circle r="4.8" fill="#0c0808"/><circle cx="-3" cy="-3.5" r="2.2" fill="#fff"/>
    <path d="M-22 2Q-8 -14 8 -12T22 3" fill="none" stroke="#241512" stroke-width="4" stroke-linecap="round"/>
    <path d="M-19 5Q-4 13 19 5" fill="none" stroke="${p.shade}" stroke-width="2"/></g>`;
}

/* Head and shoulders, 200 wide and 300 high around the middle of the face. */
function person(p, id) {
  const behind = p.long
    ? 'M-98 -20C-112 -150 -50 -172 0 -172S112 -150 98 -20C104 60 118 110 104 165L-104 165C-118 110 -104 60 -98 -20Z'
    : 'M-92 0C-104 -140 -50 -166 0 -166S104 -140 92 0Z';
  const hair = p.long
    ? 'M-88 -10C-96 -120 -30 -150 8 -148C60 -150 96 -110 88 -10C84 -60 66 -92 30 -112C0 -90 -60 -90 -88 -10Z'
    : 'M-86 -30C-94 -120 -40 -152 0 -152S94 -120 86 -30C82 -80 60 -104 20 -108C-20 -112 -76 -100 -86 -30Z';
  return `<defs>
    <radialGradient id="skin${id}" cx=".42" cy=".4" r=".75"><stop offset=".6" stop-color="${p.skin}"/>
      <stop offset="1" stop-color="${p.shade}"/></radialGradient>
    <radialGradient id="cheek${id}"><stop stop-color="${p.lip}" stop-opacity=".33"/>
      <stop offset="1" stop-color="${p.lip}" stop-opacity="0"/></radialGradient>
    <linearGradient id="nose${id}"><stop stop-color="${p.shade}" stop-opacity="0"/>
      <stop offset=".45" stop-color="#fff" stop-opacity=".25"/>
      <stop offset="1" stop-color="${p.shade}" stop-opacity=".75"/></linearGradient>
    <filter id="soft${id}" x="-50%" y="-50%" width="200%" height="200%"><feGaussianBlur stdDeviation="5"/></filter>
    <filter id="edge${id}" x="-50%" y="-50%" width="200%" height="200%"><feGaussianBlur stdDeviation="1.6"/></filter>
  </defs>
  <path d="${behind}" fill="${p.hair}"/>
  <path d="M-42 80L-46 175Q0 215 46 175L42 80Z" fill="${p.shade}"/>
  <path d="M-170 320C-165 210 -110 190 -46 168Q0 205 46 168C110 190 165 210 170 320Z" fill="${p.cloth}"/>
  <path d="M-82 -30C-84 -120 -45 -138 0 -138S84 -120 82 -30C82 30 70 70 44 100Q20 126 0 126T-44 100C-70 70
    -82 30 -82 -30Z" fill="url(#skin${id})"/>
  <ellipse cx="-84" cy="-5" rx="9" ry="24" fill="${p.shade}"/><ellipse cx="84" cy="-5" rx="9" ry="24" fill="${p.shade}"/>
  <ellipse cx="-46" cy="32" rx="26" ry="20" fill="url(#cheek${id})"/>
  <ellipse cx="46" cy="32" rx="26" ry="20" fill="url(#cheek${id})"/>
  <g filter="url(#soft${id})" fill="${p.shade}" opacity=".75"><ellipse cx="-36" cy="-22" rx="24" ry="10"/>
    <ellipse cx="36" cy="-22" rx="24" ry="10"/><ellipse cx="0" cy="88" rx="24" ry="6"/></g>
  <path d="M-6 -24C-9 0 -15 18 -17 28Q-10 40 0 38T17 28C14 18 9 0 6 -24Z" fill="url(#nose${id})" filter="url(#edge${id})"/>
  <g fill="#2b1512" opacity=".75" filter="url(#edge${id})"><ellipse cx="-8" cy="33" rx="4.5" ry="2.6"/>
    <ellipse cx="8" cy="33" rx="4.5" ry="2.6"/></g>
  ${eye(-36, p)}${eye(36, p)}
  <g stroke="${p.hair}" stroke-width="8" fill="none" stroke-linecap="round" filter="url(#edge${id})">
    <path d="M-62 -40Q-40 -54 -14 -42"/><path d="M62 -40Q40 -54 14 -42"/></g>
  <path d="M-29 66Q-14 57 -5 59Q0 61 5 59Q14 57 29 66Q0 72 -29 66Z" fill="${p.lip}"/>
  <path d="M-29 66Q0 72 29 66Q14 86 0 86T-29 66Z" fill="${p.lip}" opacity=".85"/>
  <path d="M-30 66Q0 73 30 66" stroke="#3a1512" stroke-width="2.4" fill="none"/>
  <path d="${hair}" fill="${p.hair}"/>`;
}

/* A picture as SVG: `people` is a list of [which, x, y, size, degrees], in pixels. */
export function scene(w, h, [from, to], people) {
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${w}" height="${h}" viewBox="0 0 ${w} ${h}">
    <defs><linearGradient id="wall" x2="1" y2="1"><stop stop-color="${from}"/><stop offset="1" stop-color="${to}"/>
    </linearGradient></defs><rect width="${w}" height="${h}" fill="url(#wall)"/>
    ${people.map(([which, x, y, size, turn = 0], i) => `<g transform="translate(${x} ${y}) rotate(${turn})
      scale(${size})">${person(PEOPLE[which], i)}</g>`).join('')}</svg>`;
}

/* Draw it to a PNG in a page of the browser. */
export async function draw(page, path, w, h, walls, people) {
  await page.setViewportSize({width: w, height: h});
  await page.setContent(`<body style="margin:0">${scene(w, h, walls, people)}</body>`);
  await page.screenshot({path});
}

/* ada.png, ben.png and two.mp4, a clip of two people who sway, in `folder`. */
export async function drawAll(page, folder, w, h, frames) {
  await draw(page, `${folder}/ada.png`, 384, 384, ['#d8e2dc', '#9fb4ac'], [[0, 192, 197, 0.86]]);
  await draw(page, `${folder}/ben.png`, 384, 384, ['#e6d9c4', '#b79c77'], [[1, 192, 197, 0.86]]);
  const drawn = 6, s = w / 960; // there and back again
  for (let i = 0; i < drawn; i++) {
    const t = i / (drawn - 1);
    await draw(page, `${folder}/drawn-${i}.png`, w, h, ['#cfd8d3', '#6f8a80'], [
      [2, s * (290 + 24 * t), s * (292 + 4 * t), 1.05 * s, 2 - 4 * t],
      [1, s * (675 - 20 * t), s * (302 - 5 * t), 1.05 * s, 3 * t - 1]]);
  }
  for (let i = 0; i < frames; i++) {
    const at = i % (2 * drawn - 2);
    copyFileSync(`${folder}/drawn-${at < drawn ? at : 2 * drawn - 2 - at}.png`,
      `${folder}/frame-${String(i).padStart(4, '0')}.png`);
  }
  execFileSync('ffmpeg', ['-v', 'error', '-y', '-framerate', '25', '-i', `${folder}/frame-%04d.png`,
    '-c:v', 'libx264', '-preset', 'veryfast', '-crf', '16', '-pix_fmt', 'yuv420p', `${folder}/two.mp4`]);
}
