export const themeName = 'tru.theme';

/** Runs in the head, before the first picture: the page never flashes in the wrong theme. */
export const themeScript = `try{var t=localStorage.getItem('${themeName}');
document.documentElement.dataset.theme=t==='light'||t==='dark'?t:
matchMedia('(prefers-color-scheme: dark)').matches?'dark':'light'}catch(e){}`;
