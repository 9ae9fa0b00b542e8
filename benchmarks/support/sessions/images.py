# Pillow, imageio, scikit-image, OpenCV
# needs: Pillow imageio scikit-image opencv-python-headless numpy
# %%
import cv2
import imageio.v3 as iio
import numpy as np
import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont
import skimage.feature
import skimage.measure
import skimage.transform

pixels = np.arange(48, dtype="uint8").reshape(4, 4, 3)

# %% picture: PIL.Image.Image
picture = PIL.Image.fromarray(pixels)
# probe: picture.size, picture.tobytes()

# %% opened: PIL.PngImagePlugin.PngImageFile
picture.save("a.png")
opened = PIL.Image.open("a.png")
# probe: opened.format, opened.tobytes(), opened.text, opened.filename

# %% film: PIL.GifImagePlugin.GifImageFile
shades = [PIL.Image.new("L", (8, 8), shade) for shade in (0, 50, 100, 150)]
shades[0].save("a.gif", save_all=True, append_images=shades[1:])
film = PIL.Image.open("a.gif")
film.seek(2)
# probe: film.n_frames, film.tell(), [(film.seek(n), film.convert("L").getpixel((0, 0))) for n in (3, 0, 2)]

# %% pen: PIL.ImageDraw.ImageDraw
pen = PIL.ImageDraw.Draw(picture)
# probe: pen.line([(0, 0), (3, 3)], fill="red"), picture.getpixel((0, 0))

# %% face: PIL.ImageFont.FreeTypeFont
face = PIL.ImageFont.load_default(12)
# probe: face.getlength("text") > 0, face.size

# %% plugin: imageio.plugins.pillow.PillowPlugin
plugin = iio.imopen("a.png", "r")
# probe: plugin.read().shape

# %% warp: skimage.transform.AffineTransform
warp = skimage.transform.AffineTransform(scale=(2, 3))
# probe: warp.params.tolist()

# %% regions: list (of skimage.measure.RegionProperties)
regions = skimage.measure.regionprops(skimage.measure.label(np.eye(5, dtype=int)))
# probe: [float(r.area) for r in regions]

# %% corners: skimage.feature.ORB
corners = skimage.feature.ORB(n_keypoints=5)
# probe: corners.n_keypoints

# %% key: cv2.KeyPoint
key = cv2.KeyPoint(1.0, 2.0, 3.0)
# probe: key.pt, key.size

# %% orb: cv2.ORB
orb = cv2.ORB_create(50)
# probe: orb.getMaxFeatures()

# %% capture: cv2.VideoCapture
capture = cv2.VideoCapture()
# probe: capture.isOpened()
