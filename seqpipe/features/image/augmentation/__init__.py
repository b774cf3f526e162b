"""Line images as other hands, pens and scanners would give them, while training."""
