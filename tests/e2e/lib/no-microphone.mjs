/** `before` of a Person: two cores cannot encode and mix the sound of eight pages. */
export function noMicrophone() {
  const devices = navigator.mediaDevices;
  const open = devices.getUserMedia.bind(devices);
  devices.getUserMedia = (wish) => (wish.audio ? Promise.reject(new DOMException("", "NotFoundError")) : open(wish));
}
